/** What differs between CPUs in Linux's ABI, as tables (checked against gcc on both), and the numbers that do not. */

export interface Layout {
  /** struct epoll_event: packed on x86-64 only. */
  readonly epollEventSize: number;
  readonly epollDataOffset: number;
  readonly O_DIRECT: number;
  readonly O_DIRECTORY: number;
}

export const LAYOUTS: Readonly<Record<"x86_64" | "aarch64", Layout>> = {
  x86_64: { epollEventSize: 12, epollDataOffset: 4, O_DIRECT: 0x4000, O_DIRECTORY: 0x10000 },
  aarch64: { epollEventSize: 16, epollDataOffset: 8, O_DIRECT: 0x10000, O_DIRECTORY: 0x4000 },
};

export const AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10;
export const SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;
export const SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_ERROR = 4, SO_KEEPALIVE = 9, SO_LINGER = 13;
export const SO_TYPE = 3, SO_SNDTIMEO = 21, SO_ACCEPTCONN = 30;
export const IPPROTO_TCP = 6, TCP_NODELAY = 1, TCP_KEEPIDLE = 4, TCP_KEEPINTVL = 5, TCP_KEEPCNT = 6;
export const IPPROTO_IPV6 = 41, IPV6_V6ONLY = 26;
export const MSG_PEEK = 2, MSG_NOSIGNAL = 0x4000;
export const EPOLLIN = 1, EPOLLPRI = 2, EPOLLOUT = 4, EPOLLERR = 8, EPOLLHUP = 0x10, EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x80000000, EPOLLEXCLUSIVE = 0x10000000;
export const EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2;
export const O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000, O_NOCTTY = 0x100, O_PATH = 0x200000;
export const F_SETPIPE_SZ = 1031;
export const F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, FD_CLOEXEC = 1;
export const CLOCK_MONOTONIC = 1;
export const SPLICE_F_MOVE_NONBLOCK = 3;
export const SHUT_WR = 1;

/** errno.h, the same on both CPUs. */
export const EINTR = 4, EAGAIN = 11, ENOMEM = 12, EACCES = 13, ENFILE = 23, EMFILE = 24, EPIPE = 32;
export const EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENETUNREACH = 101, ECONNABORTED = 103, ECONNRESET = 104;
export const ENOBUFS = 105, ETIMEDOUT = 110, ECONNREFUSED = 111, EHOSTUNREACH = 113;
export const ENOSYS = 38,
  ENOTCONN = 107,
  EINPROGRESS = 115,
  EPERM = 1,
  ENOENT = 2,
  ENOTDIR = 20,
  EROFS = 30,
  EAFNOSUPPORT = 97;

const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  20: "ENOTDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  30: "EROFS",
  32: "EPIPE",
  91: "EPROTOTYPE",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  101: "ENETUNREACH",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  105: "ENOBUFS",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
  115: "EINPROGRESS",
};

/** `ECONNREFUSED` for 111; `errno 42` for what has no name here. */
export const errnoName = (errno: number): string => NAMES[errno] ?? `errno ${errno}`;

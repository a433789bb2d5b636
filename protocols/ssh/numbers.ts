/** The numbers of messages (RFC 4250 4.1), and of reasons to disconnect (4.2). */

// The transport's own (RFC 4253 12; RFC 8308 2.3).
export const DISCONNECT = 1, IGNORE = 2, UNIMPLEMENTED = 3, DEBUG = 4;
export const SERVICE_REQUEST = 5, SERVICE_ACCEPT = 6, EXT_INFO = 7;
export const KEXINIT = 20, NEWKEYS = 21;
/** Of every method of key exchange here: the client's share, and the server's with its signature (RFC 5656 7.1). */
export const KEX_SHARE = 30, KEX_REPLY = 31;
/** Messages of a key exchange method lie from 30 up to here. */
export const LAST_KEX = 49;
/** What lies above the transport begins here: authentication, then channels. */
export const FIRST_ABOVE = 50;
/** PROTOCOL of OpenSSH, 1.9 (ping@openssh.com). */
export const PING = 192, PONG = 193;

export const HOST_NOT_ALLOWED = 1,
  PROTOCOL_ERROR = 2,
  KEY_EXCHANGE_FAILED = 3,
  MAC_ERROR = 5,
  SERVICE_NOT_AVAILABLE = 7,
  VERSION_NOT_SUPPORTED = 8,
  HOST_KEY_NOT_VERIFIABLE = 9,
  CONNECTION_LOST = 10,
  BY_APPLICATION = 11,
  TOO_MANY_CONNECTIONS = 12,
  NO_MORE_AUTH_METHODS = 14;

// Of user authentication (RFC 4252 6, 7).
export const USERAUTH_REQUEST = 50, USERAUTH_FAILURE = 51, USERAUTH_SUCCESS = 52, USERAUTH_BANNER = 53;
export const USERAUTH_PK_OK = 60;

// Of the connection protocol (RFC 4254 9).
/** What lies above authentication begins here. */
export const FIRST_OF_CONNECTION = 80;
export const GLOBAL_REQUEST = 80, REQUEST_SUCCESS = 81, REQUEST_FAILURE = 82;
export const CHANNEL_OPEN = 90, OPEN_CONFIRMATION = 91, OPEN_FAILURE = 92, WINDOW_ADJUST = 93;
export const CHANNEL_DATA = 94, EXTENDED_DATA = 95, CHANNEL_EOF = 96, CHANNEL_CLOSE = 97;
export const CHANNEL_REQUEST = 98, CHANNEL_SUCCESS = 99, CHANNEL_FAILURE = 100;

/** Why a channel is not opened (RFC 4254 5.1). */
export const PROHIBITED = 1, CONNECT_FAILED = 2, UNKNOWN_TYPE = 3, SHORTAGE = 4;

/** Words by which nginx, HAProxy, Caddy and Traefik call what has another name here, and what to write instead. */

/** Words without case, dashes and underscores; a key that is known where they stand in for it; what to write. */
type Foreign = readonly [words: string, among: string, instead: string];

const FOREIGN: readonly Foreign[] = [
  ["listen bind port ports listenport", "sniffTimeout", 'where it listens is address: ":80"'],
  [
    "tls ssl https certificate certificates cert sslcertificate key",
    "sniffTimeout",
    "certificates: [{ cert, key }] stands beside listeners, and protocols: [tls, http] ends TLS",
  ],
  ["realip setrealipfrom trustedproxy forwardedheaders", "sniffTimeout", "trustedProxies has their networks"],
  ["acceptproxy proxy", "sniffTimeout", "proxyProtocol has the networks that send it"],
  [
    "proxypass reverseproxy backend upstream service forward target proxy url dest destination",
    "rateLimit",
    'where requests go is to: "http://host:port"',
  ],
  [
    "backends upstreams servers services loadbalancer lbpolicy",
    "rateLimit",
    'several targets are a list: to: ["http://a:80", "http://b:80"]',
  ],
  [
    "servername domain domains hostname vhost names name hosts",
    "rateLimit",
    "a name is host: www.example.com, and each has a route of its own",
  ],
  ["location prefix pathprefix match uri rule paths", "rateLimit", "what is below a path is path: /api"],
  ["root static fileserver directory dir webroot alias", "rateLimit", "a directory is files: /var/www"],
  [
    "return rewriteto permanent",
    "rateLimit",
    "a redirect is redirect: { host: www.example.com, status: 301 }",
  ],
  ["gzip encode compression zstd brotli", "rateLimit", "that is compress: [zstd, gzip]"],
  [
    "basicauth authbasic login users htpasswd",
    "rateLimit",
    "passwords are auth: { basic: { NAME: PASSWORD } }",
  ],
  ["jwt oidc bearer", "rateLimit", "tokens are auth: { jwt: { issuer: URL } }"],
  ["clientmaxbodysize maxbodysize maxsize requestbody", "rateLimit", "that is bodySize: 10MiB"],
  ["proxyreadtimeout readtimeout timeouts responsetimeout", "rateLimit", "that is timeout: 30s"],
  ["websocket websockets ws upgrade", "rateLimit", "WebSockets need no key: they pass"],
  [
    "insecure insecureskipverify tlsinsecureskipverify sslverify proxysslverify",
    "rateLimit",
    "that is upstreamTls: { insecure: true }",
  ],
  [
    "proxysetheader headerup setheader setheaders requestheader",
    "rateLimit",
    "that is requestHeaders: { set: { NAME: VALUE } }",
  ],
  [
    "addheader headerdown header responseheader customresponseheaders cors hsts",
    "rateLimit",
    "that is responseHeaders: { set: { NAME: VALUE } }",
  ],
  ["stripprefix handlepath strip trimprefix", "rateLimit", "that is rewrite: { path: / }"],
  ["healthcheck health healthuri", "rateLimit", "that is check: { path: /healthz }"],
  ["limitreq ratelimiting throttle", "rateLimit", "that is rateLimit: { requests: 5, per: 10s }"],
  [
    "allow deny whitelist allowlist ipallowlist ipwhitelist",
    "rateLimit",
    "clients are sources: [10.0.0.0/8]",
  ],
  ["ssl https sslcertificate redirecttohttps forcehttps", "rateLimit", "that is tls: terminate"],
  [
    "tryfiles spa index autoindex browse errorpage errorpages handleerrors",
    "rateLimit",
    "files: DIR serves what is there, and the index.html of a directory: nothing of that can be chosen",
  ],
  [
    "sticky stickysession stickysessions iphash affinity",
    "rateLimit",
    "nothing ties a client to a target: the least loaded one is asked",
  ],
  ["forwardauth authrequest", "rateLimit", "who asks is proven by auth: basic, jwt or certificate"],
  [
    "cache proxycache expires cachecontrol",
    "rateLimit",
    "nothing is cached; what browsers keep is responseHeaders: { set: { Cache-Control: VALUE } }",
  ],
  ["file output path filename", "level", "the log goes to stderr, for the journal or a redirection"],
  ["prefix", "exact", "a prefix stands alone: path: /api"],
  ["to url location uri https", "scheme", "its parts are scheme, host, port and path"],
  ["code", "scheme", "that is status"],
  ["http https server servers frontend entrypoints entrypoint frontends", "listeners", "that is listeners"],
  ["routers router services backends upstreams backend sites site", "listeners", "that is routes"],
  ["ssl tls certs cert certificate", "listeners", "that is certificates: [{ cert, key }]"],
  ["letsencrypt certificatesresolvers autohttps", "listeners", "that is acme: { email: me@example.com }"],
  ["metrics prometheus", "listeners", 'that is admin: { metrics: ":15020" }'],
  ["logging accesslog logs", "listeners", "that is log: { level: info, format: json }"],
  ["staging test", "directory", "that is directory: staging"],
  ["caserver server url", "directory", "that is directory: URL"],
  ["domains hosts", "directory", "that is names, and hosts of routes that end TLS need none"],
  ["crt certificate fullchain pem certfile", "cert", "that is cert"],
  ["privkey privatekey keyfile", "cert", "that is key"],
  ["https", "connect", "HTTPS is [tls, http]"],
  ["h2 h2c http2 http3 h3 quic grpc", "connect", "clients are served HTTP/1.1, by http"],
  ["ws wss websocket websockets", "connect", "http carries WebSockets"],
  ["ssl sni", "connect", "TLS is tls"],
  ["socks5 socks4 socks5h", "connect", "that is socks"],
  ["proxy httpproxy", "connect", "a proxy for HTTP is [connect, http]"],
];

const folded = (word: string): string => word.toLowerCase().replace(/[-_]/g, "");

/** What to write in place of a word; `known`: the words that are right there. */
export function insteadOf(word: string, known: readonly string[]): string | undefined {
  const one = folded(word);
  return FOREIGN.find(([words, among]) => words.split(" ").includes(one) && known.includes(among))?.[2];
}

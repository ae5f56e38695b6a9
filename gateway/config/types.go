package config

import (
	"net/netip"
	"net/url"
	"time"
)

// Config is one checked configuration: every default is filled in and every reference resolves.
type Config struct {
	File           string // where it was read from; paths in it are relative to this file's folder
	Listen         string
	TLS            TLS
	TrustedProxies []netip.Prefix
	Admin          Admin
	DataDir        string
	Encryption     Encryption
	AccessLog      AccessLog
	AuditFile      string
	API            API
	IAM            IAM
	Backends       map[string]*Backend
	Stages         []*Stage // sorted by name
}

// TLS names a certificate pair; both fields are empty (off) or both are set.
type TLS struct{ CertFile, KeyFile string }

// Admin is where the gateway is administered.
type Admin struct {
	Socket   string // default: <data_dir>/admin.sock
	Listen   string // TCP, for what has an identity; empty: none
	TLS      TLS
	Insecure bool     // off loopback without TLS
	Hosts    []string // names that it answers to beside those of loopback
}

// Encryption says where the root key comes from: at most one of KeyFile, KeyEnv, PassphraseEnv.
type Encryption struct {
	KeyFile       string
	KeyEnv        string
	PassphraseEnv string
	OldKeyFiles   []string
}

// Configured tells whether there is a root key at all.
func (e Encryption) Configured() bool {
	return e.KeyFile != "" || e.KeyEnv != "" || e.PassphraseEnv != ""
}

// AccessLog is off where Path is empty; "-" is standard output.
type AccessLog struct{ Path, Format string }

// API is what the control plane calls the REST API.
type API struct{ ID, Name string }

// Backend is one HTTP server behind the gateway.
type Backend struct {
	Name           string
	URL            *url.URL
	Timeout        time.Duration
	MaxConnections int
	PreserveHost   bool
	TLS            BackendTLS
}

// BackendTLS holds PEM files for the connection to a backend.
type BackendTLS struct{ CA, Cert, Key string }

// Freshness modes.
const (
	ModeAPIGateway = "apigateway"
	ModeHTTP       = "http"
)

// Stage is one base path with its own store.
type Stage struct {
	Name     string
	Mode     string
	BasePath string // begins with "/"; "/" alone is the root; never ends with "/" otherwise
	Hosts    []string
	Purge    bool // the method PURGE on the data port purges, for those who may
	Line     int
	Cache    Cache
	Default  Settings // the stage's "*": defaults plus what the file says
	Methods  []Method // without "*"
	Routes   []Route
}

// Cache is what belongs to the stage as a whole.
type Cache struct {
	Enabled   bool
	Capacity  int64 // bytes on disk
	Memory    int64 // bytes for the whole store; 0: disk only
	MaxObject int   // bytes
	MaxTTL    time.Duration
	Origin    string // where it comes from, if not from the file: "set at run time, ..."
}

// Method is one entry of methods: its settings are the stage's default plus its own keys.
type Method struct {
	Verb     string // "GET", or "ANY" for every method
	Template string // "/products/{id}"
	Line     int
	Settings Settings
}

// Route sends what matches Path to a backend.
type Route struct {
	Path    string
	Backend string
	Line    int
}

// Strategies for a client's max-age=0 without the permission (API Gateway's names).
const (
	FailWith403                  = "FAIL_WITH_403"
	SucceedWithResponseHeader    = "SUCCEED_WITH_RESPONSE_HEADER"
	SucceedWithoutResponseHeader = "SUCCEED_WITHOUT_RESPONSE_HEADER"
)

// What may become of an answer with Set-Cookie.
const (
	SetCookieRefuse = "refuse" // it is its client's alone
	SetCookieStrip  = "strip"  // it loses the field, and is like any other
	SetCookieStore  = "store"  // everybody gets the field with it
)

// Settings are what a stage and each of its methods may set.
type Settings struct {
	Caching              bool
	TTL                  time.Duration
	NegativeTTL          time.Duration
	StaleWhileRevalidate time.Duration
	StaleIfError         time.Duration
	Encrypt              bool
	RequireAuthorization bool   // requireAuthorizationForCacheControl
	Strategy             string // unauthorizedCacheControlHeaderStrategy
	Key                  KeySpec
	CacheKeyParameters   []string // API Gateway's names, "method.request.path.id"
	CacheNamespace       string
	ForwardHeaders       []string // nil: no allow-list
	IgnoreCookies        bool
	SetCookie            string // what becomes of an answer with Set-Cookie: one of the SetCookie constants
	// Set names the fields that this entry itself set in the file (our names), for displays of origin.
	Set []string
	// Origin says where the whole entry comes from, if not from the file: "set at run time, ...".
	Origin string
}

// Key modes.
const (
	KeyFull     = "full"
	KeyDeclared = "declared"
)

// KeySpec is what goes into the cache key besides method, scheme, host and path.
type KeySpec struct {
	Mode    string
	Headers []string // canonical form
	Cookies []string
	Query   QuerySpec
}

// QuerySpec: with Include, only these parameters are keyed and forwarded; Exclude drops parameters from both. Not both.
type QuerySpec struct{ Include, Exclude []string }

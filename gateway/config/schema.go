package config

// kind is what a key's value has to be.
type kind int

const (
	kindText     kind = iota // any scalar, taken as it is written
	kindBool                 // true or false
	kindCount                // a whole number
	kindSize                 // ParseSize
	kindDuration             // ParseDuration
	kindTexts                // a list of scalars
	kindMap                  // a map with the keys named here
	kindNamed                // a map from names of the user's choice to maps with the keys named here
	kindList                 // a list of maps with the keys named here
	kindFree                 // a map, or text; not looked into
)

// key is one key of the file. The reader, the check for unknown keys, the settings' defaults and the test that holds
// docs/configuration.md to this table all go by it.
type key struct {
	name   string
	aws    string // API Gateway's name for the same setting, where ours differs
	kind   kind
	doc    string   // one line
	oneOf  []string // the only texts allowed
	hidden bool     // the value is never shown in a message: it may be a secret put in the wrong place
	keys   []key    // of kindMap, kindNamed and kindList
}

// root is the file itself.
var root = key{kind: kindMap, keys: []key{
	{name: "listen", doc: "address of the data plane"},
	{name: "tls", kind: kindMap, doc: "certificate of the data plane", keys: certPair},
	{name: "trusted_proxies", kind: kindTexts, doc: "networks whose X-Forwarded-For is believed"},
	{name: "admin", kind: kindMap, doc: "where the gateway is administered", keys: []key{
		{name: "socket", doc: "unix socket; who can open the file may administer"},
		{name: "listen", doc: "TCP address of the control plane and /metrics"},
		{name: "tls", kind: kindMap, doc: "certificate of admin.listen", keys: certPair},
		{name: "insecure", kind: kindBool, doc: "allow admin.listen off loopback without TLS"},
		{name: "hosts", kind: kindTexts, doc: "Host names that admin.listen answers beside loopback names"},
	}},
	{name: "data_dir", doc: "where the stages' stores live"},
	{name: "encryption", kind: kindMap, doc: "where the root key comes from", keys: []key{
		{name: "key_file", doc: "file with the root key", hidden: true},
		{name: "key_env", doc: "environment variable with the text of a key file", hidden: true},
		{name: "passphrase_env", doc: "environment variable with a passphrase", hidden: true},
		{name: "old_key_files", kind: kindTexts, doc: "former root keys, read until every stage is re-wrapped", hidden: true},
	}},
	{name: "access_log", kind: kindMap, doc: "one line per request", keys: []key{
		{name: "path", doc: "file; - is standard output; empty is off"},
		{name: "format", doc: "json or text", oneOf: []string{"json", "text"}},
	}},
	{name: "audit_file", doc: "invalidations and settings changes"},
	{name: "api", kind: kindMap, doc: "what the control plane calls this API", keys: []key{
		{name: "id", doc: "REST API id"},
		{name: "name", doc: "REST API name"},
	}},
	{name: "backends", kind: kindNamed, doc: "HTTP servers behind the gateway", keys: []key{
		{name: "url", doc: "http or https URL; its path is put before the request's", hidden: true},
		{name: "timeout", kind: kindDuration, doc: "longest wait for the backend"},
		{name: "max_connections", kind: kindCount, doc: "most connections at once"},
		{name: "preserve_host", kind: kindBool, doc: "send the client's Host instead of the backend's own"},
		{name: "tls", kind: kindMap, doc: "connection to an https backend", keys: []key{
			{name: "ca", doc: "PEM file with the authorities to believe"},
			{name: "cert", doc: "PEM file with the client certificate"},
			{name: "key", doc: "PEM file with its private key"},
		}},
	}},
	{name: "stages", kind: kindNamed, doc: "base paths with a store each", keys: []key{
		{name: "mode", doc: "rules of freshness", oneOf: []string{ModeAPIGateway, ModeHTTP}},
		{name: "base_path", doc: "the stage answers below this path"},
		{name: "hosts", kind: kindTexts, doc: "the stage answers only for these hosts"},
		{name: "cache", kind: kindMap, doc: "the stage's store, and settings for all its methods", keys: append([]key{
			{name: "enabled", kind: kindBool, doc: "whether the stage has a store at all"},
			{name: "capacity", kind: kindSize, doc: "bytes on disk"},
			{name: "memory", kind: kindSize, doc: "bytes in memory, for everything of this store; 0: disk only"},
			{name: "max_object", kind: kindSize, doc: "largest body that is stored"},
			{name: "max_ttl", kind: kindDuration, doc: "upper limit of ttl"},
		}, settings...)},
		{name: "methods", kind: kindNamed, doc: `settings by "METHOD /template", or "*"`, keys: settings},
		{name: "purge_method", kind: kindBool, doc: "whether the method PURGE purges, for those who may"},
		{name: "routes", kind: kindList, doc: "which backend answers what", keys: []key{
			{name: "path", doc: "template below the base path"},
			{name: "backend", doc: "name of a backend"},
		}},
	}},
	{name: "iam", kind: kindMap, doc: "who may invalidate and administer over the network", keys: []key{
		{name: "account", doc: "account number in ARNs"},
		{name: "region", doc: "region in ARNs"},
		{name: "users", kind: kindNamed, doc: "identities", keys: []key{
			{name: "access_keys", kind: kindList, hidden: true, doc: "SigV4 credentials", keys: []key{
				{name: "id", doc: "access key id"},
				{name: "secret_env", doc: "environment variable with the secret", hidden: true},
				{name: "secret_file", doc: "file with the secret", hidden: true},
			}},
			{name: "tokens", kind: kindList, hidden: true, doc: "bearer tokens", keys: []key{
				{name: "env", doc: "environment variable with the token", hidden: true},
				{name: "file", doc: "file with the token", hidden: true},
			}},
			{name: "policy", kind: kindFree, doc: "IAM policy, as JSON or its YAML"},
			{name: "policy_file", doc: "file with an IAM policy"},
		}},
	}},
}}

var certPair = []key{
	{name: "cert_file", doc: "PEM file with the certificate chain"},
	{name: "key_file", doc: "PEM file with the private key"},
}

// settings are what a stage's cache and every entry of methods may set.
var settings = []key{
	{name: "caching", aws: "cachingEnabled", kind: kindBool, doc: "whether answers are stored and served"},
	{name: "ttl", aws: "cacheTtlInSeconds", kind: kindDuration, doc: "lifetime; 0s is off"},
	{name: "negative_ttl", kind: kindDuration, doc: "lifetime of 404 and 410"},
	{name: "stale_while_revalidate", kind: kindDuration, doc: "how long past its lifetime an answer is served while it is fetched again"},
	{name: "stale_if_error", kind: kindDuration, doc: "how long past its lifetime an answer is served while the backend fails"},
	{name: "encrypt", aws: "cacheDataEncrypted", kind: kindBool, doc: "whether stored answers are encrypted"},
	{name: "requireAuthorizationForCacheControl", kind: kindBool, doc: "whether a client's max-age=0 needs a permission"},
	{name: "unauthorizedCacheControlHeaderStrategy", doc: "what a client's max-age=0 without permission gets", oneOf: strategies},
	{name: "cacheKeyParameters", kind: kindTexts, doc: "API Gateway's key parameters"},
	{name: "cacheNamespace", doc: "entries with one namespace share answers in key mode declared"},
	{name: "key", kind: kindMap, doc: "what tells one answer from another", keys: []key{
		{name: "mode", doc: "full, or API Gateway's rule", oneOf: []string{KeyFull, KeyDeclared}},
		{name: "headers", kind: kindTexts, doc: "request headers in the key"},
		{name: "cookies", kind: kindTexts, doc: "cookies in the key"},
		{name: "query", kind: kindMap, doc: "query parameters in the key", keys: []key{
			{name: "include", kind: kindTexts, doc: "only these, and only these are forwarded"},
			{name: "exclude", kind: kindTexts, doc: "all but these, and these are not forwarded"},
		}},
	}},
	{name: "forward_headers", kind: kindTexts, doc: "the only request headers that reach the backend"},
	{name: "ignore_cookies", kind: kindBool, doc: "drop the Cookie header before the backend"},
	{name: "set_cookie", doc: "what becomes of an answer with Set-Cookie", oneOf: []string{SetCookieRefuse, SetCookieStrip, SetCookieStore}},
}

var strategies = []string{FailWith403, SucceedWithResponseHeader, SucceedWithoutResponseHeader}

// find returns the key with this name, under either spelling.
func (k *key) find(name string) *key {
	for i := range k.keys {
		if c := &k.keys[i]; c.name == name || c.aws != "" && c.aws == name {
			return c
		}
	}
	return nil
}

// names lists the keys below k, under both spellings.
func (k *key) names() []string {
	var out []string
	for _, c := range k.keys {
		out = append(out, c.name)
		if c.aws != "" {
			out = append(out, c.aws)
		}
	}
	return out
}

// places lists where in the file a key of this name belongs: "stages.NAME.cache".
func places(k *key, name, path string) []string {
	var out []string
	if path != "" && k.find(name) != nil {
		out = append(out, path)
	}
	for i := range k.keys {
		c := &k.keys[i]
		p := c.name
		if path != "" {
			p = path + "." + c.name
		}
		switch c.kind {
		case kindNamed:
			p += ".NAME"
		case kindList:
			p += "[]"
		}
		out = append(out, places(c, name, p)...)
	}
	return out
}

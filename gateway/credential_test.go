package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/sigv4/sigv4test"
)

const users = `api: {id: shop}
iam:
  account: "123456789012"
  region: eu-west-1
  users:
    deployer:
      access_keys: [{id: AKIADEPLOYER, secret_env: E}]
      tokens: [{env: E}]
      policy:
        Statement:
          - {Effect: Allow, Action: "execute-api:InvalidateCache", Resource: "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/*"}
          - {Effect: Deny, Action: "*", Resource: "arn:aws:execute-api:*:*:shop/*/GET/private/*"}
          - {Effect: Deny, Action: "*", Resource: "arn:aws:execute-api:*:*:shop/*/GET/exact/x"}
    purger:
      access_keys: [{id: AKIAPURGER, secret_env: F}]
      tokens: [{env: F}]
      policy: {Statement: {Effect: Allow, Action: "apigateway:DELETE", Resource: "arn:aws:apigateway:eu-west-1::/restapis/shop/stages/prod/cache/data"}}
`

const (
	deployerToken = "Bearer token-of-the-deployer"
	purgerToken   = "Bearer token-of-the-purger"
	deployerKey   = "secret-of-the-deployer"
	purgerKey     = "secret-of-the-purger"
)

var deployer = sigv4test.Signer{ID: "AKIADEPLOYER", Secret: deployerKey, Region: "eu-west-1", Service: "execute-api"}

func withUsers() option {
	return func(r *rig, _ *Options) {
		r.top += users
		r.edit = func(c *config.Config) {
			c.IAM.Users[0].AccessKeys[0].Secret = config.NewSecret(deployerKey)
			c.IAM.Users[0].Tokens[0].Hash = sha256.Sum256([]byte(strings.TrimPrefix(deployerToken, "Bearer ")))
			c.IAM.Users[1].AccessKeys[0].Secret = config.NewSecret(purgerKey)
			c.IAM.Users[1].Tokens[0].Hash = sha256.Sum256([]byte(strings.TrimPrefix(purgerToken, "Bearer ")))
		}
	}
}

// send signs a request as it is, unless sign is nil, and sends it.
func (r *rig) send(method, path string, sign func(*http.Request), header ...string) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.addr+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	if sign != nil {
		sign(req)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

func (r *rig) signed(req *http.Request) { deployer.Header(req, r.clock.Wall(), "cache-control") }

const ignored = "199 Cache-control headers were ignored because the caller was unauthorized."

func TestARefreshReplacesTheEntry(t *testing.T) {
	r := newRig(t, withUsers())
	r.want(r.get("/prod/a?x=1"), 200, "answer 1 to /api/a?x=1", "stagecache; fwd=uri-miss")
	a := r.send("GET", "/prod/a?x=1", r.signed, "Cache-Control", "max-age=0")
	r.want(a, 200, "answer 2 to /api/a?x=1", "stagecache; fwd=request")
	if a.header.Get("Warning") != "" {
		t.Errorf("warned: %v", a.header)
	}
	// It is now everybody's, and by a token too.
	r.want(r.get("/prod/a?x=1"), 200, "answer 2 to /api/a?x=1", "stagecache; hit")
	r.want(r.get("/prod/a?x=1", "Authorization", deployerToken, "Cache-Control", "max-age=0"), 200, "answer 3 to /api/a?x=1", "stagecache; fwd=request")
	r.want(r.get("/prod/a?x=1"), 200, "answer 3 to /api/a?x=1", "stagecache; hit")
	r.want(r.send("GET", "/prod/a?x=1", func(q *http.Request) { deployer.Query(q, r.clock.Wall(), "60", "cache-control") }, "Cache-Control", "max-age=0"),
		200, "answer 4 to /api/a?x=1", "stagecache; fwd=request")
	r.want(r.get("/prod/a?x=1"), 200, "answer 4 to /api/a?x=1", "stagecache; hit")
	// The backend saw no credential of ours, and no condition: API Gateway's refresh replaces.
	for _, q := range r.backend.asked {
		for _, name := range []string{"Authorization", "X-Amz-Date", "If-None-Match", "If-Modified-Since"} {
			if q.Header.Get(name) != "" {
				t.Errorf("%s reached the backend: %v", name, q.Header)
			}
		}
	}
	// An entry that is not there yet is a miss like any.
	r.want(r.send("GET", "/prod/b", r.signed, "Cache-Control", "max-age=0"), 200, "answer 5 to /api/b", "stagecache; fwd=uri-miss")
	r.want(r.get("/prod/b"), 200, "answer 5 to /api/b", "stagecache; hit")
}

func TestWhoMayNotRefresh(t *testing.T) {
	r := newRig(t, withUsers(), withMethods(`"GET /silent": {unauthorizedCacheControlHeaderStrategy: SUCCEED_WITHOUT_RESPONSE_HEADER}
"GET /strict": {unauthorizedCacheControlHeaderStrategy: FAIL_WITH_403}
"GET /open": {requireAuthorizationForCacheControl: false}`))
	for _, path := range []string{"/prod/a", "/prod/silent", "/prod/strict", "/prod/open", "/prod/private/x"} {
		r.get(path)
	}
	asked := r.backend.count()
	for _, c := range []struct {
		name, path string
		sign       func(*http.Request)
		header     []string
		status     int
		warning    string
	}{
		{"anybody", "/prod/a", nil, nil, 200, ignored},
		{"anybody, silently", "/prod/silent", nil, nil, 200, ""},
		{"anybody, strictly", "/prod/strict", nil, nil, 403, ""},
		{"somebody else's credential", "/prod/strict", nil, []string{"Authorization", "Bearer x"}, 403, ""},
		{"a user without the permission", "/prod/a", nil, []string{"Authorization", purgerToken}, 200, ignored},
		{"a user, where a statement denies it", "/prod/private/x", r.signed, nil, 200, ignored},
		{"a false signature", "/prod/a", func(q *http.Request) { r.signed(q); q.Header.Set("Cache-Control", "max-age=00") }, nil, 403, ""},
		{"a signature that does not cover cache-control", "/prod/a", func(q *http.Request) { deployer.Header(q, r.clock.Wall()) }, nil, 403, ""},
		{"a signature for the control plane", "/prod/a", func(q *http.Request) {
			s := deployer
			s.Service = "apigateway"
			s.Header(q, r.clock.Wall(), "cache-control")
		}, nil, 403, ""},
		{"a signature for another region", "/prod/a", func(q *http.Request) {
			s := deployer
			s.Region = "us-east-1"
			s.Header(q, r.clock.Wall(), "cache-control")
		}, nil, 403, ""},
		{"an old signature", "/prod/a", func(q *http.Request) { deployer.Header(q, r.clock.Wall().Add(-6*time.Minute), "cache-control") }, nil, 403, ""},
		{"two credentials", "/prod/a", r.signed, []string{"Authorization", deployerToken, "Authorization", purgerToken}, 200, ""},
	} {
		header := append([]string{"Cache-Control", "max-age=0"}, c.header...)
		if c.name == "two credentials" { // net/http joins nothing: two header lines
			a := r.do("GET", c.path, header...)
			if a.status != 403 {
				t.Errorf("%s: %d", c.name, a.status)
			}
			continue
		}
		a := r.send("GET", c.path, c.sign, header...)
		if a.status != c.status || a.header.Get("Warning") != c.warning {
			t.Errorf("%s: %d, warning %q; want %d, %q", c.name, a.status, a.header.Get("Warning"), c.status, c.warning)
		}
	}
	if got := r.backend.count(); got != asked {
		t.Errorf("the backend was asked %d times more", got-asked)
	}
	// The reasons are the operator's alone.
	for _, reason := range []string{"no statement allows it", "statement 2 denies it", "the signature does not match the request", "no credential of ours"} {
		if !strings.Contains(r.log.String(), reason) {
			t.Errorf("the log does not say %q", reason)
		}
	}
	if s := r.log.String(); strings.Contains(s, "token-of") || strings.Contains(s, deployerKey) {
		t.Errorf("a secret is in the log: %s", s)
	}
	// Where no permission is needed nobody's credential is looked at.
	r.want(r.get("/prod/open", "Cache-Control", "max-age=0"), 200, fmt.Sprintf("answer %d to /api/open", asked+1), "stagecache; fwd=request")
}

func TestASignatureIsAcceptedOnce(t *testing.T) {
	r := newRig(t, withUsers())
	req, err := http.NewRequest("GET", "http://"+r.addr+"/prod/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cache-Control", "max-age=0")
	r.signed(req)
	var got []int
	for range 2 {
		resp, err := r.client.Do(req.Clone(context.Background()))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got = append(got, resp.StatusCode)
	}
	if got[0] != 200 || got[1] != 403 {
		t.Errorf("%v", got)
	}
	// A reload forgets nothing.
	if err := r.g.Reload(r.config()); err != nil {
		t.Fatal(err)
	}
	resp, err := r.client.Do(req.Clone(context.Background()))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("after a reload: %d", resp.StatusCode)
	}
}

// Ours is removed before the backend, true or false, on every way through the gateway; what is not ours passes.
func TestOurCredentialStaysHere(t *testing.T) {
	r := newRig(t, withUsers())
	presigned := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIADEPLOYER%2F20150830%2Feu-west-1%2Fexecute-api%2Faws4_request&X-Amz-Signature=00"
	for _, c := range []struct {
		method, path string
		header       []string
		auth, query  string
	}{
		{"GET", "/prod/a?x=1", []string{"Authorization", deployerToken}, "", "x=1"},
		{"GET", "/prod/uncached?x=1", []string{"Authorization", deployerToken}, "", "x=1"},
		{"POST", "/prod/a", []string{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIADEPLOYER/x"}, "", ""},
		{"GET", "/prod/b?x=1&" + presigned, nil, "", "x=1"},
		{"GET", "/prod/uncached?" + presigned + "&x=1", nil, "", "x=1"},
		{"GET", "/prod/uncached", []string{"Authorization", deployerToken, "Connection", "X-Other"}, "", ""},
		{"GET", "/prod/c", []string{"Authorization", "Bearer another"}, "Bearer another", ""},
		{"GET", "/prod/d?X-Amz-Credential=AKIAOTHER", nil, "", "X-Amz-Credential=AKIAOTHER"},
	} {
		r.do(c.method, c.path, c.header...)
		q := r.backend.last()
		if q.Header.Get("Authorization") != c.auth || q.URL.RawQuery != c.query {
			t.Errorf("%s %s: the backend got %q and the query %q", c.method, c.path, q.Header.Get("Authorization"), q.URL.RawQuery)
		}
	}
	// Without it, the answer is one for everybody.
	r.want(r.get("/prod/b?x=1"), 200, "answer 4 to /api/b?x=1", "stagecache; hit")
}

func TestTheRateOfRefreshes(t *testing.T) {
	r := newRig(t, withUsers(), withMethods(`"GET /open": {requireAuthorizationForCacheControl: false}`))
	count := func(path string, header ...string) (asked int) {
		before := r.backend.count()
		for range 25 {
			if a := r.get(path, append(header, "Cache-Control", "max-age=0")...); a.status != 200 {
				t.Errorf("%d", a.status)
			}
		}
		return r.backend.count() - before
	}
	if n := count("/prod/a", "Authorization", deployerToken); n != 20 {
		t.Errorf("a user refreshed %d times at once", n)
	}
	if n := count("/prod/open"); n != 20 {
		t.Errorf("an address refreshed %d times at once", n)
	}
	r.clock.Advance(time.Second)
	if n := count("/prod/a", "Authorization", deployerToken); n != 10 {
		t.Errorf("a second later: %d", n)
	}
	if s := r.log.String(); !strings.Contains(s, "more than 10 refreshes a second") {
		t.Error("the log does not say why")
	}
}

// Whoever demands a new answer does not get one that the backend was asked for before.
func TestARefreshDoesNotJoinAnOlderFetch(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		state, gate := "old", make(chan struct{})
		r.backend.serve(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			now := state
			mu.Unlock()
			if now == "old" {
				<-gate
			}
			io.WriteString(w, now)
		})
		first, second := make(chan answer, 1), make(chan answer, 1)
		go func() { first <- r.get("/prod/a") }()
		synctest.Wait()
		mu.Lock()
		state = "new"
		mu.Unlock()
		time.Sleep(time.Millisecond) // in the bubble: the second begins later than the first fetch
		go func() { second <- r.get("/prod/a", "Authorization", deployerToken, "Cache-Control", "max-age=0") }()
		synctest.Wait()
		close(gate)
		if a := <-first; a.body != "old" {
			t.Errorf("the first got %q", a.body)
		}
		if a := <-second; a.body != "new" {
			t.Errorf("the refresh got %q", a.body)
		}
		r.want(r.get("/prod/a"), 200, "new", "stagecache; hit")
	}, withUsers())
}

func TestRefreshesAreRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	log, err := audit.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r := newRig(t, withUsers(), func(_ *rig, o *Options) { o.Audit = log })
	r.send("GET", "/prod/a%2Fb", r.signed, "Cache-Control", "max-age=0")
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), `"user":"deployer","via":"signature","source":"127.0.0.1","action":"refresh","stage":"prod","what":"GET /a/b","at_most":1}`) {
		t.Errorf("%s %v", b, err)
	}
}

// A slash at the end makes no other resource for a declared key, so a policy that denies the resource must not be passed by one.
func TestADenialIsNotPassedByASlash(t *testing.T) {
	r := newRig(t, withUsers(), withMethods(`"GET /exact/{id}": {key: {mode: declared}, cacheKeyParameters: [method.request.path.id]}`))
	for _, path := range []string{"/prod/exact/x", "/prod/exact/x/", "/prod/private/"} {
		if a := r.send("GET", path, r.signed, "Cache-Control", "max-age=0"); a.header.Get("Warning") != ignored {
			t.Errorf("%s was refreshed: %v", path, a.header)
		}
	}
}

// Behind a proxy of ours the client has signed the public name, and is who the proxy says.
func TestSignaturesThroughATrustedProxy(t *testing.T) {
	public := func(r *rig) func(*http.Request) {
		return func(q *http.Request) {
			host := q.URL.Host
			q.Host = "api.example.com"
			deployer.Header(q, r.clock.Wall(), "cache-control")
			q.Host = host
		}
	}
	const denied = "          - {Effect: Deny, Action: \"*\", Resource: \"*\", Condition: {IpAddress: {\"aws:SourceIp\": \"198.51.100.0/24\"}}}\n    purger:"
	withDenied := func(r *rig, _ *Options) { r.top = strings.Replace(r.top, "    purger:", denied, 1) }
	r := newRig(t, withTop("trusted_proxies: [127.0.0.0/8]\n"), withUsers(), withDenied)
	through := []string{"Cache-Control", "max-age=0", "X-Forwarded-Host", "api.example.com", "X-Forwarded-For"}
	for from, want := range map[string]string{"203.0.113.7": "", "198.51.100.9": ignored, "198.51.100.9, 203.0.113.8": ""} {
		r.clock.Advance(time.Second) // else one would be the replay of another
		if a := r.send("GET", "/prod/a", public(r), append(through, from)...); a.status != 200 || a.header.Get("Warning") != want {
			t.Errorf("from %s: %d %v %s", from, a.status, a.header, a.body)
		}
	}
	// Of anybody else such headers mean nothing.
	r = newRig(t, withUsers(), withDenied)
	if a := r.send("GET", "/prod/a", public(r), append(through, "203.0.113.7")...); a.status != 403 {
		t.Errorf("not through a proxy: %d", a.status)
	}
	if a := r.send("GET", "/prod/a", r.signed, "Cache-Control", "max-age=0", "X-Forwarded-For", "198.51.100.9"); a.status != 200 || a.header.Get("Warning") != "" {
		t.Errorf("an address that somebody claims: %d %v", a.status, a.header)
	}
}

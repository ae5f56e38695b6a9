package admin_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"stagecache/gateway/admin"
	"stagecache/gateway/config"
	"stagecache/gateway/iam"
	"stagecache/gateway/identity"
	"stagecache/gateway/sigv4/sigv4test"
)

// The aws command line signs by the second: asked the same twice in one, it sends the same signature. That is no attack, so the
// answer is one upon which clients sign anew; but nothing is done for a signature that was used.
func TestAUsedSignatureIsAskedForAnew(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	policy, err := iam.Parse([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	dir := identity.New(&config.Config{API: config.API{ID: "shop"}, IAM: config.IAM{Region: "eu-west-1", Account: "123456789012", Users: []config.User{{
		Name: "deployer", Policy: policy, AccessKeys: []config.AccessKey{{ID: "AKIADEPLOYER", Secret: config.NewSecret("a-secret")}},
	}}}}, identity.NewMemory(now))
	flushed := 0
	h := admin.Handler(admin.Options{
		Inner:     http.NotFoundHandler(),
		Directory: func() *identity.Directory { return dir },
		Client:    func(*http.Request) netip.Addr { return netip.MustParseAddr("127.0.0.1") },
		Now:       func() time.Time { return now },
		Mounts: []admin.Mount{{Patterns: []string{"/restapis/"}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			flushed++
			w.WriteHeader(http.StatusAccepted)
		})}},
	})
	send := func(at time.Time) *httptest.ResponseRecorder {
		r := httptest.NewRequest("DELETE", "http://127.0.0.1:9901/restapis/shop/stages/prod/cache/data", nil)
		sigv4test.Signer{ID: "AKIADEPLOYER", Secret: "a-secret", Region: "eu-west-1", Service: identity.ControlPlane}.Header(r, at)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := send(now); w.Code != http.StatusAccepted {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := send(now); w.Code != http.StatusTooManyRequests || w.Header().Get("x-amzn-ErrorType") != "TooManyRequestsException" || w.Header().Get("Retry-After") != "1" || flushed != 1 {
		t.Errorf("the same signature again: %d %v %s, flushed %d times", w.Code, w.Header(), w.Body, flushed)
	}
	if w := send(now.Add(time.Second)); w.Code != http.StatusAccepted || flushed != 2 {
		t.Errorf("signed anew: %d %s", w.Code, w.Body)
	}
}

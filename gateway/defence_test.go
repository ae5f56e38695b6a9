package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// modes are the two ways to decide on freshness; what attackers do must fail in both.
var modes = map[string]option{
	"apigateway": withStage("cache: {capacity: 64MB, memory: 48MB, ttl: 300s}"),
	"http":       withStage("mode: http\ncache: {capacity: 64MB, memory: 48MB, ttl: 300s}"),
}

// A request that makes the backend fail must not make it fail for everybody (cpdos.org): oversized, malformed and overriding
// headers, conditions, and whatever else a strict server objects to.
func TestAnErrorOfOneIsNotForAll(t *testing.T) {
	amz := "AWS4-HMAC-SHA256 Credential=AKIAX/20261103/eu-west-1/execute-api/aws4_request, SignedHeaders=host, Signature=0"
	for mode, option := range modes {
		for name, header := range map[string]string{
			"oversized":       "X-Oversized: " + strings.Repeat("x", 9000),
			"many":            strings.Repeat("X-Many: x\r\n", 300) + "X-Last: 1",
			"method override": "X-HTTP-Method-Override: DELETE\r\nX-Method-Override: PUT\r\nX-HTTP-Method: POST",
			"port":            "X-Forwarded-Port: 123",
			"scheme":          "X-Forwarded-Scheme: http\r\nX-Forwarded-Proto: nonsense",
			"upgrade":         "Upgrade: nonsense\r\nConnection: upgrade",
			"expectation":     "Expect: 100-continue-not",
			"encoding":        "Accept-Encoding: nonsense",
			"type":            "Content-Type: invalid",
			"range":           "Range: bytes=9999-",
			"many ranges":     "Range: bytes=" + strings.Repeat("0-,", 500) + "0-",
			"precondition":    "If-Match: \"nothing\"",
			"older":           "If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT",
			"credentials":     "Authorization: x",
			"signature":       "X-Amz-Date: 1\r\nX-Amz-Security-Token: x\r\nAuthorization: " + amz,
			"language":        "Accept-Language: \"",
			"trailer":         "Te: nonsense\r\nTrailer: X",
			"hop":             "Connection: Host, Content-Length, X-Oversized",
			"forwards":        "Max-Forwards: 0",
			"via":             "Via: nonsense",
			"cookie":          "Cookie: \x7f=\"",
			"origin":          "Origin: nonsense",
			"early":           "Early-Data: 1",
			"underscores":     "X_Forwarded_Host: evil\r\nIf_None_Match: *\r\nX_HTTP_Method_Override: DELETE\r\nContent_Type: x\r\nTransfer_Encoding: chunked",
			"proxy":           "Proxy: http://evil/",
			"middleware":      "X-Middleware-Prefetch: 1\r\nX-Invoke-Status: 500",
		} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				r := newRig(t, option)
				r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
					size := 0
					for name, v := range q.Header {
						size += len(name)*len(v) + len(strings.Join(v, ""))
					}
					if size > 1000 {
						if mode == "http" {
							w.Header().Set("Cache-Control", "max-age=3600") // on everything, errors too
						}
						http.Error(w, "too large", http.StatusBadRequest)
						return
					}
					for name := range q.Header {
						switch name {
						case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via", "Connection":
						case "User-Agent", "Accept-Encoding":
						default:
							http.Error(w, "what is "+name, http.StatusNotImplemented)
							return
						}
					}
					io.WriteString(w, "clean")
				})
				r.raw("GET /prod/x HTTP/1.1\r\nHost: " + r.addr + "\r\n" + header + "\r\nConnection: close\r\n\r\n")
				if a := r.get("/prod/x"); a.status != 200 || a.body != "clean" {
					t.Errorf("the next client got %d %q, %s", a.status, a.body, a.cache())
				}
			})
		}
	}
}

// Errors have no lifetime, even where the backend's caching headers come from a common default; 404 and 410 have one where it is set.
func TestNoErrorLives(t *testing.T) {
	for mode, option := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, option)
			for _, status := range []int{400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 421, 425, 429, 431, 451, 500, 501, 502, 503, 504} {
				r.backend.serve(fixed(status, "error"))
				path := fmt.Sprintf("/prod/%d", status)
				for range 2 {
					n := r.backend.count()
					if a := r.get(path); a.status != status || r.backend.count() == n {
						t.Errorf("%s: %d, %s", path, a.status, a.cache())
					}
				}
			}
		})
	}
}

// Answers that are about the request that asked are nobody else's, whatever lifetime the backend states for them, and no error is
// for longer than a minute.
func TestWhatABackendSaysOfErrors(t *testing.T) {
	for status, kept := range map[int]bool{
		304: false, 401: false, 407: false, 408: false, 411: false, 412: false, 413: false, 415: false, 416: false, 417: false, 421: false, 425: false, 426: false,
		428: false, 429: false, 431: false, 400: true, 403: true, 500: true, 503: true,
	} {
		r := newRig(t, modes["http"])
		r.backend.serve(fixed(status, "", "Cache-Control", "max-age=3600, stale-while-revalidate=3600, stale-if-error=3600"))
		path := fmt.Sprintf("/prod/%d", status)
		r.get(path)
		if a := r.get(path); strings.HasPrefix(a.cache(), "stagecache; hit") != kept {
			t.Errorf("%d: %s", status, a.cache())
		}
		r.clock.Advance(61 * time.Second)
		r.backend.serve(fixed(200, "better", "Cache-Control", "no-store"))
		if a := r.get(path); a.body != "better" {
			t.Errorf("%d, a minute later: %d, %s", status, a.status, a.cache())
		}
	}
}

// A backend that makes variables of header fields, as CGI, WSGI and PHP do, reads X_Tenant as X-Tenant: what is keyed, or named by
// Vary, must not be chosen by another spelling of it, and nothing that matters may be smuggled past the gateway in one.
func TestOtherSpellingsOfHeaders(t *testing.T) {
	for mode, option := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, option, withMethods(`"GET /keyed": {key: {headers: [X-Tenant]}}
"GET /named": {key: {headers: [api_key]}}`))
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Vary", "Accept-Language")
				env := make(map[string]string)
				for name, v := range q.Header {
					name = strings.ToUpper(strings.Map(func(c rune) rune {
						if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
							return c
						}
						return '_'
					}, name))
					env[name] += strings.Join(v, ",")
				}
				fmt.Fprint(w, env)
			})
			for _, evil := range []string{
				"X_Forwarded_Host: evil", "X_Tenant: evil", "x.tenant: evil", "Accept_Language: evil", "If_None_Match: evil", "X_Original_URL: evil", "Cookie_: evil",
				"Content_Type: evil", "X-Forwarded_Proto: evil", "X_Real_Ip: evil", "Proxy: evil", "X-Real-Ip: evil",
			} {
				for _, path := range []string{"/prod/x", "/prod/keyed", "/prod/named"} {
					r.raw("GET " + path + "?" + evil[:6] + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + evil + "\r\n\r\n")
					if _, rest := r.raw("GET " + path + "?" + evil[:6] + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); strings.Contains(rest, "evil") {
						t.Errorf("%s, %s: anybody gets\n%s", path, evil, rest)
					}
				}
			}
			_, rest := r.raw("GET /prod/named HTTP/1.1\r\nHost: a\r\nConnection: close\r\napi_key: mine\r\n\r\n")
			if !strings.Contains(rest, "API_KEY:mine") {
				t.Errorf("a header that the settings name did not come through:\n%s", rest)
			}
			_, rest = r.raw("GET /prod/uncached HTTP/1.1\r\nHost: a\r\nConnection: close\r\napi_key: mine\r\nX_Forwarded_For: evil\r\nContent_Length: evil\r\nTransfer_Encoding: evil\r\n\r\n")
			if strings.Contains(rest, "evil") || !strings.Contains(rest, "API_KEY:mine") {
				t.Errorf("where nothing is cached:\n%s", rest)
			}
		})
	}
}

// With an allow-list the backend gets those cookies that are in the key, and no others: also an answer that says it is for everybody
// then holds nothing that one client chose.
func TestOnlyKeyedCookiesAreForwarded(t *testing.T) {
	for mode, option := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, option, withMethods(`"GET /list": {forward_headers: [X-A], key: {cookies: [s, t]}}
"GET /all": {forward_headers: [cookie], key: {cookies: [s]}}`))
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Cache-Control", "public, max-age=60")
				fmt.Fprintf(w, "%q", q.Header["Cookie"])
			})
			r.want(r.get("/prod/list", "Cookie", "x=evil; t=2;s=1 ; s=3;evil; y=evil"), 200, `["s=1; s=3; t=2"]`, "stagecache; fwd=uri-miss; stored")
			r.want(r.get("/prod/list", "Cookie", "s=1; t=2; s=3"), 200, `["s=1; s=3; t=2"]`, "stagecache; hit")
			r.want(r.get("/prod/list", "Cookie", "z=evil"), 200, `[]`, "stagecache; fwd=uri-miss; stored")
			r.want(r.get("/prod/list"), 200, `[]`, "stagecache; hit")
			r.want(r.get("/prod/all", "Cookie", "s=1; z=2"), 200, `["s=1; z=2"]`, "stagecache; fwd=uri-miss")
		})
	}
}

// A connection on which a malformed request came ends with the answer: what follows may be part of it to somebody.
func TestAMalformedRequestEndsItsConnection(t *testing.T) {
	r := newRig(t)
	for _, request := range []string{
		"GET /prod/x HTTP/1.1\r\nHost:\r\n\r\n", "GET /prod/a#b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /prod/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /prod/x\\y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /prod/../../x HTTP/1.1\r\nHost: a\r\n\r\n", "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT /prod/x HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		_, rest := r.raw(request + "GET /prod/smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
		if strings.Contains(rest, "smuggled") || !strings.Contains(rest, "Connection: close") {
			t.Errorf("%q:\n%s", request, rest)
		}
	}
	r.wantAsked(0)
}

// A page of one's own under a name that looks public stays one's own, whatever the backend makes of the path.
func TestDeception(t *testing.T) {
	for mode, option := range modes {
		for name, header := range map[string][]string{
			"says nothing": nil, "no-store": {"Cache-Control", "no-store"}, "private": {"Cache-Control", "private, max-age=60"},
			"sets a cookie": {"Set-Cookie", "session=2", "Cache-Control", "max-age=60"},
		} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				r := newRig(t, option)
				r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
					for i := 0; i < len(header); i += 2 {
						w.Header().Set(header[i], header[i+1])
					}
					w.Header().Set("Content-Type", "text/html")
					fmt.Fprintf(w, "account of <%s%s>", q.Header.Get("Cookie"), q.Header.Get("Authorization"))
				})
				for _, victim := range []string{"Cookie: session=secret", "Authorization: Basic secret"} {
					for i, tail := range []string{
						"/.css", "/nonexistent.css", "/../x.css", "/%2e%2e/x.css", "%0Ax.css", "%00x.css", "%3Bx.css", ";x.css", "%23x.css", "%3Fx.css",
						"%26x.css", "%2Fx.css", "/a/..%2fx.css", "//x.css", "/x.css/", "%5cx.css", "%252e%252e/x.css", ".css?x", "/x.js", "/favicon.ico", "/robots.txt",
					} {
						path := fmt.Sprintf("/prod/account%d%s", i, tail)
						r.raw("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + victim + "\r\n\r\n")
						_, rest := r.raw("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
						if strings.Contains(rest, "secret") {
							t.Errorf("%s with %q: anybody gets\n%s", path, victim, rest)
						}
					}
				}
			})
		}
	}
}

// One parameter must not hide another: what the backend may read differently is another key, and is forwarded as it is keyed.
func TestParameterCloaking(t *testing.T) {
	for mode, option := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, option, withMethods(`"GET /p": {key: {query: {exclude: [utm_content, _method]}}}`))
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.URL.RawQuery) })
			for _, poison := range []string{
				"callback=x&utm_content=a;callback=evil", "callback=x&utm_content=a%26callback=evil", "utm_content=evil&callback=x",
				"callback=x&utm_content=evil&utm_content=evil2", "callback=x&_method=evil", "callback=x&%75tm_content=evil", "callback=x&utm%5Fcontent=evil",
				"callback=x&UTM_CONTENT=evil", "callback=x?utm_content=evil", "callback=x&callback=evil", "callback=x;evil", "callback=x&utm_content[]=evil",
				"callback=x&&evil", "callback=x&=evil", "callback%00=evil", "callback=x&utm_content=" + strings.Repeat("evil", 1000),
			} {
				r.raw("GET /prod/p?" + poison + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				if _, rest := r.raw("GET /prod/p?callback=x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); strings.Contains(rest, "evil") {
					t.Errorf("after %s:\n%s", poison, rest)
				}
			}
		})
	}
}

// The body of a GET is no part of its key, so nobody else gets an answer to it, nor is it taken for the next request.
func TestFatGET(t *testing.T) {
	for mode, option := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, option)
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				b, _ := io.ReadAll(q.Body)
				fmt.Fprintf(w, "%s [%s]", q.URL.Path, b)
			})
			inner := "GET /prod/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
			for _, request := range []string{
				"GET /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nevil",
				"GET /prod/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
				fmt.Sprintf("GET /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
				fmt.Sprintf("HEAD /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
				fmt.Sprintf("POST /prod/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
			} {
				_, rest := r.raw(request + "GET /prod/after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				if strings.Contains(rest, "/api/smuggled []") {
					t.Errorf("%q:\n%s", request, rest)
				}
				if chunked := strings.Contains(request, "chunked"); chunked == strings.Contains(rest, "/api/after []") {
					t.Errorf("%q: the request behind it, chunks %t:\n%s", request, chunked, rest)
				}
				if a := r.get("/prod/x"); a.body != "/api/x []" {
					t.Errorf("%q: the next client got %q, %s", request, a.body, a.cache())
				}
			}
		})
	}
}

// A host that no stage answers to is nobody's, and two spellings of one host are one.
func TestHosts(t *testing.T) {
	for _, mode := range []string{"apigateway", "http"} {
		r := newRig(t, withStage("mode: "+mode+"\nhosts: [api.example]\ncache: {capacity: 64MB, memory: 48MB, ttl: 300s}"))
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.Header.Get("X-Forwarded-Host")) })
		for host, status := range map[string]int{
			"evil.example": 404, "api.example.evil": 404, "evil.example:80": 404, "api.example@evil": 400, "api.example evil": 400, "api.example/evil": 400,
			"[::1": 400, "api.example:x": 400, "api.example:99999": 400, "": 400, "..": 400,
		} {
			line, rest := r.raw("GET /prod/x HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(line, fmt.Sprintf("HTTP/1.1 %d", status)) || strings.Contains(rest, "stored") {
				t.Errorf("%q: %s\n%s", host, line, rest)
			}
		}
		r.wantAsked(0)
		for i, host := range []string{"api.example", "API.Example", "api.example.", "api.example:80"} {
			_, rest := r.raw("GET /prod/x HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
			if !strings.HasSuffix(rest, "api.example") || strings.Contains(rest, "; hit") != (i > 0) {
				t.Errorf("%q:\n%s", host, rest)
			}
		}
		// The absolute form wins over Host (RFC 9112 3.2.2).
		if line, _ := r.raw("GET http://evil.example/prod/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n"); !strings.Contains(line, "404") {
			t.Errorf("absolute form: %s", line)
		}
	}
}

// A client that makes up variants gets them, and leaves the resource with as many as there may be.
func TestAVariantFlood(t *testing.T) {
	for mode, option := range modes {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, option)
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Vary", "Accept-Language")
				io.WriteString(w, q.Header.Get("Accept-Language"))
			})
			for i := range 200 {
				lang := fmt.Sprintf("x-%d", i)
				if a := r.get("/prod/x", "Accept-Language", lang); a.body != lang {
					t.Fatalf("%s got %q", lang, a.body)
				}
			}
			hits := 0
			for i := range 200 {
				lang := fmt.Sprintf("x-%d", i)
				a := r.get("/prod/x", "Accept-Language", lang, "Cache-Control", "only-if-cached")
				if strings.HasPrefix(a.cache(), "stagecache; hit") {
					if hits++; a.body != lang {
						t.Fatalf("%s got %q", lang, a.body)
					}
				}
			}
			if hits > 64 {
				t.Errorf("%d variants of one resource are kept", hits)
			}
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("Vary", strings.Repeat("X-A, ", 1)+"X-B, X-C, X-D, X-E, X-F, X-G, X-H, X-I, X-J, X-K, X-L, X-M")
			})
			r.get("/prod/many")
			if a := r.get("/prod/many"); strings.HasPrefix(a.cache(), "stagecache; hit") {
				t.Error("an answer that varies by 13 headers was kept")
			}
		})
	}
}

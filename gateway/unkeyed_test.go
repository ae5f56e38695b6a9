package gateway

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// mirror answers with everything that it was asked.
func mirror(w http.ResponseWriter, q *http.Request) {
	for name, v := range q.Header {
		w.Header()["X-Reflected-"+name] = v
	}
	if v := q.Header.Get("Origin"); v != "" {
		w.Header().Set("Access-Control-Allow-Origin", strings.ToLower(v)+"/")
	}
	fmt.Fprintf(w, "%s %s %s %q %q\n", q.Method, q.Host, q.RequestURI, q.TransferEncoding, q.Trailer)
	for _, name := range slices.Sorted(maps.Keys(q.Header)) {
		fmt.Fprintf(w, "%s: %q\n", name, q.Header[name])
	}
	b, _ := io.ReadAll(q.Body)
	w.Write(b)
}

// What the first client chose through something that the key does not hold never reaches a second one, whatever it is.
func TestASecondClientSeesNothingOfTheFirst(t *testing.T) {
	// Through these a cacheable request tells the backend what no cache expects, and they need no allow-list to be stopped.
	always := strings.Fields(`X-Forwarded-Host X-Forwarded-Scheme X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Prefix
		X-Forwarded-Server X-Forwarded-For X-Forwarded-Path X-Forwarded X-Host X-HTTP-Host-Override X-Original-Host Forwarded Forwarded-For
		X-Original-URL X-Rewrite-URL X-Override-URL X-HTTP-Method-Override X-HTTP-Method X-Method-Override Origin Via CDN-Loop Range If-Range
		If-None-Match If-Match If-Modified-Since If-Unmodified-Since If-Marked Content-Type Content-Encoding Content-Marked
		X-Backend-Host Proxy X-Real-Ip True-Client-Ip X-Client-Ip X_Forwarded_Host X_Anything Accept_Language Cookie. X-Forwarded_Proto X-Middleware-Subrequest
		Connection Keep-Alive Proxy-Authorization Proxy-Connection TE Trailer Upgrade Cookie Authorization Accept-Encoding Expect Host`)
	// With an allow-list nothing else gets through either.
	others := strings.Fields(`Accept Accept-Language Accept-Charset User-Agent Referer X-Anything Cache-Control Pragma X-Api-Key Dnt Priority
		Sec-Fetch-Site X-Real-Ip True-Client-Ip X-Amz-Date Max-Forwards Via CDN-Loop Early-Data Prefer From Traceparent Warning Date`)
	const marker = "planted"
	httpMode := modes["http"]
	for _, c := range []struct {
		name, path string
		names      []string
		options    []option
	}{
		{"all forwarded", "/prod/x", always, nil},
		{"an allow-list", "/prod/allowed", append(others, always...), nil},
		{"keyed cookies and an allow-list", "/prod/cookies", append(others, always...), nil},
		{"declared", "/prod/declared", always, nil},
		{"a trusted peer", "/prod/x", always, []option{withTop("trusted_proxies: [127.0.0.0/8]")}},
		{"mode http", "/prod/x", always, []option{httpMode}},
		{"mode http and an allow-list", "/prod/allowed", append(others, always...), []option{httpMode}},
		{"mode http, keyed cookies and an allow-list", "/prod/cookies", append(others, always...), []option{httpMode}},
		{"mode http and a trusted peer", "/prod/x", always, []option{httpMode, withTop("trusted_proxies: [127.0.0.0/8]")}},
		{"a trusted peer and an allow-list", "/prod/allowed", append(others, always...), []option{withTop("trusted_proxies: [127.0.0.0/8]")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, append(c.options, withMethods(`
"GET /allowed/{id}": {forward_headers: [X-Kept]}
"GET /cookies/{id}": {forward_headers: [X-Kept], key: {cookies: [session]}}
"GET /declared/{id}": {key: {mode: declared}, cacheKeyParameters: [method.request.path.id]}`))...)
			r.backend.serve(mirror)
			rnd := rand.New(rand.NewPCG(1, 2))
			stored := 0
			for i := range 400 {
				path := fmt.Sprintf("%s/%d?q=1", c.path, i)
				request := "GET " + path + " HTTP/1.1\r\nConnection: close\r\n"
				host := "clean"
				for range 1 + rnd.IntN(4) {
					name := c.names[rnd.IntN(len(c.names))]
					value := []string{
						marker, marker + ", a", "a, " + marker, marker + ".example", "1.1 " + marker, "http://" + strings.ToUpper(marker) + ".example",
						"bytes=0-1, " + marker, "10.0.0.1%" + marker + ", 127.0.0.1", "x=" + marker, "X-" + marker + ", Host, Cookie", `"` + marker + `"`,
						"gzip, " + marker, "for=" + marker, "1.1 stagecache-" + marker, "127.0.0.1, " + marker + ", 127.0.0.1",
					}[rnd.IntN(15)]
					if name == "Host" {
						host = marker + ".example"
						continue
					}
					if name == "Expect" && rnd.IntN(2) == 0 {
						name = "expect" // as it comes, whatever the case
					}
					request += name + ": " + value + "\r\n"
				}
				status, _ := r.raw(request + "Host: " + host + "\r\n\r\n")
				if status == "closed" {
					t.Fatalf("%q: closed", request)
				}
				before := r.backend.count()
				_, second := r.raw("GET " + path + " HTTP/1.1\r\nHost: clean\r\nConnection: close\r\n\r\n")
				if strings.Contains(strings.ToLower(second), marker) {
					t.Fatalf("after %q a clean client got\n%s", request, second)
				}
				if r.backend.count() == before {
					stored++
				}
			}
			if stored < 20 {
				t.Errorf("only %d of the first answers were stored: this proves little", stored)
			}
		})
	}
}

// An encoded answer is for those who asked for one, also where the backend forgets to say so.
func TestAnEncodedAnswerVaries(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		if strings.Contains(q.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "zipped")
			return
		}
		io.WriteString(w, "plain")
	})
	r.want(r.get("/prod/x", "Accept-Encoding", "gzip"), 200, "zipped", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x", "Accept-Encoding", "gzip"), 200, "zipped", "stagecache; hit")
	r.want(r.get("/prod/x"), 200, "plain", "stagecache; fwd=vary-miss; stored")
	r.want(r.get("/prod/x"), 200, "plain", "stagecache; hit")
}

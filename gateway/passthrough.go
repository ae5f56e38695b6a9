package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"stagecache/gateway/policy"
)

// viaResponse is what is added to the Via of answers.
const viaResponse = "1.1 stagecache"

// bypass sends a request on to which caching does not apply.
func (x *exchange) bypass(why string) {
	x.stage.counters.bypasses.Add(1)
	x.result = "bypass"
	x.proxy(why, nil, func(out *http.Request) {
		h := out.Header
		if x.has(hasConnection) && !normalHop(x.r.Header) {
			// The reverse proxy has removed whatever Connection lists; what a backend relies on is not for a client to strip.
			for name, v := range x.header {
				if h[name] == nil && !strings.HasPrefix(name, "X-Forwarded-") && name != "Forwarded" {
					h[name] = v
				}
			}
		}
		policy.RemoveAliases(h, false, nil)
		if n, ok := x.maxForwards(); ok {
			h["Max-Forwards"] = []string{strconv.FormatUint(n-1, 10)}
		}
		if !x.client.trusted {
			delete(h, "Forwarded")
		} else if v := x.header["Forwarded"]; v != nil {
			h["Forwarded"] = v // the reverse proxy has removed it, whoever sent it
		}
		if v := x.header["X-Forwarded-For"]; v != nil {
			h["X-Forwarded-For"] = v // believed or not is decided in finishHeader
		}
		x.finishHeader(h)
		fixUserAgent(h)
		out.URL = x.outURL(x.r.URL.RawQuery)
	})
}

// forward sends on a request to which caching applies, for itself alone and exactly as its client asked. Nothing is stored.
func (x *exchange) forward(why string, stale *found) {
	x.proxy(why, stale, func(out *http.Request) {
		out.Header = x.outHeader(false)
		fixUserAgent(out.Header)
		out.URL = x.outURL(x.query)
		if x.body != nil {
			setBody(out, x.body)
		}
	})
}

var (
	errUseStale = errors.New("a stale answer is better than this one")
	errNoAnswer = errors.New("the backend's status ends no request")
	errUnsound  = errors.New("the backend's answer has a header field whose name is none")
)

// proxy streams a request to the backend and its answer back. A stale entry, if there is one, stands in for a failure.
func (x *exchange) proxy(why string, stale *found, rewrite func(out *http.Request)) {
	x.w.stream()
	x.stage.counters.backend.Add(1)
	asked := time.Now()
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(errDone)
	dog := newWatchdog(x.backend.cfg.Timeout, cancel)
	defer dog.retire()
	in := x.r.WithContext(ctx)
	var body *clientBody
	if in.Body != nil && in.ContentLength != 0 && x.body == nil {
		body = x.requestBody(dog)
		in.Body = body
	}
	purges := uint64(0)
	if stale != nil {
		purges = x.store.PurgeClock()
	}
	// counted tells hits by a stale entry from misses, which is known when there is an answer, or none.
	count := func() {
		if x.result != "bypass" {
			x.countMiss()
		}
	}
	status, answered := 0, false
	p := &httputil.ReverseProxy{
		Transport:     hopByHop{x.backend.transport},
		BufferPool:    copyPool,
		FlushInterval: -1, // nobody knows when the next part of an answer comes
		ErrorLog:      slog.NewLogLogger(x.g.log.Handler(), slog.LevelDebug),
		Rewrite: func(pr *httputil.ProxyRequest) {
			rewrite(pr.Out)
			pr.Out.Host = x.outHost()
			pr.Out.Trailer = nil
			if body != nil {
				pr.Out.Trailer = body.trailers(x.r.Trailer)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			dog.retire()
			answered = true
			x.series.Backend(time.Since(asked))
			if resp.StatusCode == http.StatusSwitchingProtocols {
				count()
				return nil
			}
			if !isAnswer(resp.StatusCode) {
				return errNoAnswer
			}
			x.invalidate(resp.StatusCode, resp.Header)
			x.keepPost(resp)
			if x.result != "bypass" {
				x.m.stripSetCookie(resp.Header)
			}
			x.checkByHead(stale, purges, resp)
			if status = resp.StatusCode; isFailure(status) && x.standsIn(stale, true) {
				return errUseStale
			}
			count()
			if !endless(resp.Header) {
				dog := newWatchdog(x.backend.cfg.Timeout, cancel)
				dog.disarm()
				resp.Body = watch(resp.Body, dog)
			}
			resp.Header["Via"] = append(resp.Header["Via"], viaResponse)
			x.decorate(resp.Header, policy.CacheStatus{Forward: why})
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			if p := body.problem(); p != nil {
				count()
				x.fail(p)
				return
			}
			if x.r.Context().Err() != nil {
				count()
				x.gone()
			}
			if !answered {
				x.series.Backend(time.Since(asked))
			}
			if x.standsIn(stale, status != 0) {
				x.serveError(stale, status)
				return
			}
			count()
			x.decorate(x.w.Header(), policy.CacheStatus{Forward: why})
			p := problemOf(ctx, err)
			x.g.backendFailed(x.stage, x.backend, p)
			x.fail(p)
		},
	}
	p.ServeHTTP(&x.w, in)
}

// hopByHop removes the fields of an answer that end here before the reverse proxy does, which would remove whatever the
// backend's Connection lists, Set-Cookie and Cache-Control included.
type hopByHop struct{ next http.RoundTripper }

func (t hopByHop) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if !policy.Sound(resp.Header) {
		resp.Body.Close()
		return nil, errUnsound
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		policy.RemoveHopByHop(resp.Header)
	}
	return resp, nil
}

// maxForwards is what an OPTIONS request says of how many more gateways may pass it on (RFC 9110 7.6.2).
func (x *exchange) maxForwards() (uint64, bool) {
	v := x.r.Header["Max-Forwards"]
	if x.r.Method != http.MethodOptions || len(v) != 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(v[0], 10, 63)
	return n, err == nil
}

// allowed is what the gateway says for itself when it is asked for its options.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// endless tells an answer that may pause for as long as it likes, being sent piece by piece while its client listens.
func endless(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (media == "text/event-stream" || media == "multipart/x-mixed-replace" || strings.HasPrefix(media, "application/grpc"))
}

// streamAlone sends the answer to a fetch that turned out to be for this client alone.
func (x *exchange) streamAlone(up *upstream, why string) {
	defer up.close()
	defer context.AfterFunc(x.r.Context(), func() { up.cancel(errUnread) })()
	resp, h := up.resp, x.w.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	x.decorate(h, policy.CacheStatus{Forward: why, Detail: up.reason})
	if resp.StatusCode == http.StatusOK && x.validates() {
		v := policy.NewValidators(resp.Header.Get("Etag"), resp.Header.Get("Last-Modified"), resp.Header.Get("Date"))
		if policy.Evaluate(conditionsOf(x.r.Header), v) == policy.NotModified {
			x.notModified(h)
			return
		}
	}
	x.w.WriteHeader(resp.StatusCode)
	body := io.Reader(resp.Body)
	if w, ok := resp.Body.(*watchedBody); ok && endless(resp.Header) {
		body = w.ReadCloser
	}
	buf := copyPool.Get()
	defer copyPool.Put(buf)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			x.send(buf[:n])
			x.w.Flush() // nobody knows when the next part comes
		}
		if err == io.EOF {
			for name, values := range resp.Trailer {
				h[http.TrailerPrefix+name] = values
			}
			return
		}
		if err != nil {
			x.result = "cut"
			panic(http.ErrAbortHandler)
		}
	}
}

// outRequest is the request for a fetch.
func (x *exchange) outRequest(h http.Header) *http.Request {
	h = h.Clone()
	fixUserAgent(h)
	req := &http.Request{
		Method: x.verb, URL: x.outURL(x.query), Host: x.outHost(), Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if x.body != nil {
		setBody(req, x.body)
	}
	return req
}

func setBody(req *http.Request, body []byte) {
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
}

// fixUserAgent keeps net/http from adding a User-Agent of its own where the client sent none.
func fixUserAgent(h http.Header) {
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{""}
	}
}

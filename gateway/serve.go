package gateway

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"stagecache/gateway/policy"
)

// serve is the data plane's handler.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	x := exchanges.Get().(*exchange)
	x.g, x.state, x.r, x.begun, x.result = g, g.state.Load(), r, time.Now(), "-"
	x.w = response{ResponseWriter: w, perWrite: g.o.WriteTimeout}
	defer x.end()
	if c := connOf(r); c != nil {
		c.lane.posted = r.Method == http.MethodPost
	}
	x.client = x.state.clientOf(r)
	p := x.accept()
	if p == nil {
		p = x.find()
	}
	if p != nil {
		if r.ProtoMajor == 1 && (p.status == http.StatusBadRequest || r.Method == http.MethodConnect) {
			// Whoever sent this may see the end of the message elsewhere: what follows is not worth guessing at.
			w.Header()["Connection"] = []string{"close"}
		}
		x.fail(p)
		return
	}
	x.run()
}

// end sees a request off, however it ended: what panics in one is a 500 for that one only.
func (x *exchange) end() {
	p := recover()
	if p != nil && p != http.ErrAbortHandler {
		x.g.log.Error("a request panicked", "panic", fmt.Sprint(p), "method", x.r.Method, "path", x.path, "stack", string(debug.Stack()))
		x.result = "error"
		if x.w.status == 0 {
			clear(x.w.Header()) // whatever it was about to say
			errInternal.write(&x.w, x.head)
			p = nil
		}
	}
	x.countDone()
	x.g.access.write(x)
	x.limitRest()
	x.release()
	if p != nil {
		// An answer had begun: the client must not take the part for the whole.
		panic(http.ErrAbortHandler)
	}
}

// limitRest sets deadlines for what the server does once a request is over: it sends the rest of the answer, and reads what is
// left of a body that nobody wanted. Without them a client that does its part of neither would hold the connection for ever.
func (x *exchange) limitRest() {
	if x.w.streaming {
		x.w.deadline()
	}
	if x.r.ContentLength != 0 && x.r.ProtoMajor == 1 {
		// A ResponseWriter without deadlines has no connection either.
		_ = http.NewResponseController(x.w.ResponseWriter).SetReadDeadline(time.Now().Add(x.g.o.BodyTimeout))
	}
}

func (x *exchange) fail(p *problem) {
	if x.result == "-" {
		x.result = "error"
	}
	p.write(&x.w, x.head)
}

// accept refuses what no stage should see.
func (x *exchange) accept() *problem {
	r := x.r
	x.head = r.Method == http.MethodHead
	x.fields = fieldsOf(r.Header)
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		// CONNECT would make a tunnel of the gateway, TRACE mirrors cookies to scripts.
		return errMethod
	case r.ProtoMajor == 1 && r.ProtoMinor == 0:
		// HTTP/1.0 has no chunks: net/http reads past a Transfer-Encoding, and would take the body for the next request.
		x.w.Header()["Connection"] = []string{"close"}
		if c := connOf(r); c != nil && (c.lane.chunked || c.lane.unseen) {
			return badRequest("HTTP/1.0 has no Transfer-Encoding, and one request at a time")
		}
	case len(r.TransferEncoding) > 0 && r.ProtoMajor == 1:
		// net/http drops a Content-Length beside chunks without a word, which RFC 9112 6.3 takes for an attempt at smuggling.
		// Nobody sees whether there was one, so the connection ends with this request.
		x.w.Header()["Connection"] = []string{"close"}
	}
	if x.has(hasUpgrade) {
		x.refuseH2C()
	}
	x.scheme = "http"
	if r.TLS != nil {
		x.scheme = "https"
	}
	if proto, ok := x.believed("X-Forwarded-Proto"); ok && (proto == "http" || proto == "https") {
		x.scheme = proto
	}
	var err error
	if x.host, err = policy.CleanHost(r.Host, x.scheme); err != nil {
		return badRequest(err.Error())
	}
	x.forwardedHost = x.host
	if host, ok := x.believed("X-Forwarded-Host"); ok {
		if x.forwardedHost, err = policy.CleanHost(host, x.scheme); err != nil {
			return badRequest("X-Forwarded-Host: " + err.Error())
		}
	}
	// net/url takes a "#" in the target for a part of the path and escapes it; others cut the target there.
	if strings.IndexByte(r.RequestURI, '#') >= 0 {
		return badRequest("the target holds a \"#\": a fragment is never sent, write %23")
	}
	x.path = r.URL.EscapedPath()
	switch {
	case x.path == "":
		x.path = "/" // http://host without a path
	case x.path[0] != '/':
		return badRequest("the target is not a path") // OPTIONS *
	}
	if err := policy.CheckTarget(x.path, r.URL.RawQuery); err != nil {
		return badRequest(err.Error())
	}
	if x.has(hasVia) {
		for _, via := range r.Header["Via"] {
			if strings.Contains(via, x.g.via) {
				return errLoop
			}
		}
	}
	return nil
}

// refuseH2C takes away an upgrade to HTTP/2 in the clear: a tunnel in which further requests would go to the backend past all
// that is refused here.
func (x *exchange) refuseH2C() {
	for _, v := range x.r.Header["Upgrade"] {
		if strings.Contains(strings.ToLower(v), "h2c") {
			delete(x.r.Header, "Upgrade")
			delete(x.r.Header, "Http2-Settings")
			break
		}
	}
}

// find chooses stage, route and settings.
func (x *exchange) find() *problem {
	if x.stage, x.below = find(x.state.stages, x.host, x.path); x.stage == nil {
		return errNoStage
	}
	rt, _, ok := x.stage.routes.Find(policy.Any, x.below)
	if !ok {
		return errNoRoute
	}
	x.route, x.backend = rt, rt.backend
	x.verb = x.r.Method
	if x.head {
		x.verb = http.MethodGet
	}
	x.m, x.template = x.stage.settings(x.verb, x.below)
	x.countUnder()
	read := policy.Resolve(x.below)
	if read.Climbs {
		return badRequest("the path leads out of its stage with \"..\" segments")
	}
	x.unsettled = read.Dots
	if read.Merged != x.below {
		m, _ := x.stage.settings(x.verb, read.Merged)
		x.unsettled = x.unsettled || m != x.m
	}
	x.header = x.r.Header
	if x.has(hasConnection) && !normalHop(x.header) {
		// What Connection lists is not forwarded, so it must not be keyed either.
		x.header = x.header.Clone()
		policy.RemoveHopByHop(x.header)
	}
	return nil
}

// beyondASCII finds a header with obs-text (RFC 9110 5.5). Where an answer is for many it is refused, since servers
// read those bytes, or refuse them, as they like, and an error made by one client's header would be kept for all.
func beyondASCII(h http.Header) (name string, found bool) {
	for name, values := range h {
		for _, v := range values {
			for i := 0; i < len(v); i++ {
				if v[i] >= 0x80 {
					return name, true
				}
			}
		}
	}
	return "", false
}

// run answers from the cache or from the backend.
func (x *exchange) run() {
	x.findClaim()
	if x.r.Method == methodPurge && x.stage.cfg.Purge {
		x.purge()
		return
	}
	if n, ok := x.maxForwards(); ok && n == 0 {
		x.w.Header()["Allow"] = []string{allowed}
		x.w.WriteHeader(http.StatusNoContent)
		return
	}
	why, p := x.whyNot()
	if p != nil {
		x.fail(p)
		return
	}
	if why != "" {
		x.dropClaim()
		x.bypass(why)
		return
	}
	if name, found := beyondASCII(x.header); found {
		x.fail(badRequest("the header " + name + " holds bytes beyond ASCII"))
		return
	}
	if p := x.readDirectives(); p != nil {
		x.fail(p)
		return
	}
	x.dropClaim()
	x.name()
	x.answer()
}

// name finds out what a request asks for, in the words of the store: its key.
func (x *exchange) name() {
	x.classify()
	x.query = policy.Query(x.r.URL.RawQuery, x.m.query, !x.m.http)
	x.buildKey()
}

// whyNot says why caching does not apply to a request, in the words of Cache-Status; "" if it does.
func (x *exchange) whyNot() (string, *problem) {
	h := x.r.Header
	x.store = x.stage.store.Load()
	switch {
	case !x.stage.cfg.Cache.Enabled || x.store == nil:
		return policy.ForwardBypass, nil
	case !x.m.caches(x.verb):
		if x.m.on() {
			return policy.ForwardMethod, nil
		}
		return policy.ForwardBypass, nil
	case x.unsettled:
		return policy.ForwardBypass, nil
	case x.has(hasUpgrade) && h["Upgrade"] != nil:
		return policy.ForwardBypass, nil
	}
	if x.has(hasAccept) {
		for _, accept := range h["Accept"] {
			if accept != "*/*" && strings.Contains(strings.ToLower(accept), "text/event-stream") {
				return policy.ForwardBypass, nil // it never ends, so nobody should wait for it
			}
		}
	}
	hasBody := x.r.ContentLength != 0
	switch {
	case !hasBody && x.verb == http.MethodGet:
	case x.verb == http.MethodGet:
		return policy.ForwardBypass, nil // the body would be an unkeyed part of the request
	default:
		if ok, err := x.readBody(); err != nil {
			return "", problemOfBody(err)
		} else if !ok {
			return policy.ForwardBypass, nil
		}
	}
	return "", nil
}

const warning = "199 Cache-control headers were ignored because the caller was unauthorized."

// decorate adds what every answer on a method with caching carries.
func (x *exchange) decorate(h http.Header, cs policy.CacheStatus) {
	x.text = cs.Append(x.text[:0])
	x.addStatus(h, []string{string(x.text)})
}

// addStatus adds our member of Cache-Status, and the warning if there is one.
func (x *exchange) addStatus(h http.Header, status []string) {
	if have := h["Cache-Status"]; have != nil {
		status = append(have[:len(have):len(have)], status...) // RFC 9211: the cache nearest to the client is last
	}
	h["Cache-Status"] = status
	if x.warn {
		h["Warning"] = append(h["Warning"], warning)
	}
}

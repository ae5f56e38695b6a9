package gateway

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"stagecache/gateway/policy"
)

// client is what is known of who sent a request.
type client struct {
	peer    netip.Addr // invalid: not an IP connection
	trusted bool       // the peer is one of trusted_proxies
}

func (s *state) clientOf(r *http.Request) client {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return client{}
	}
	c := client{peer: ap.Addr().Unmap()}
	c.trusted = s.trusts(c.peer)
	return c
}

func (s *state) trusts(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// address is the client's: the peer's, or behind trusted proxies the rightmost address of X-Forwarded-For that is not one
// of them. What stands left of it is the client's own claim.
func (s *state) address(c client, h http.Header) string {
	if !c.peer.IsValid() {
		return "-"
	}
	found := c.peer
	if c.trusted {
		hops := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
		for _, hop := range slices.Backward(hops) {
			a, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break
			}
			if found = a.Unmap(); !s.trusts(found) {
				break
			}
		}
	}
	return found.String()
}

// believedHops is what of an X-Forwarded-For from a trusted peer is not the client's own claim: the rightmost address that is not
// a trusted proxy's, and what follows it.
func (s *state) believedHops(lines []string) []string {
	hops := strings.Split(strings.Join(lines, ","), ",")
	var believed []string
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil || a.Zone() != "" {
			break
		}
		believed = append(believed, a.Unmap().String())
		if !s.trusts(a.Unmap()) {
			break
		}
	}
	slices.Reverse(believed)
	return believed
}

// forwarded sets the fields that tell the backend about the client. Those that came with the request are believed only from a
// trusted peer.
func (x *exchange) forwarded(h http.Header) {
	if _, believed := x.believed("X-Forwarded-For"); !believed {
		delete(h, "X-Forwarded-For")
	}
	if x.client.peer.IsValid() {
		hops := append(slices.Clone(h["X-Forwarded-For"]), x.client.peer.String())
		h["X-Forwarded-For"] = []string{strings.Join(hops, ", ")}
	}
	h["X-Forwarded-Host"] = []string{x.forwardedHost}
	h["X-Forwarded-Proto"] = []string{x.scheme}
}

// believed gives the last value of a field that a trusted peer may set.
func (x *exchange) believed(name string) (string, bool) {
	if !x.client.trusted || !x.has(hasForwarded) {
		return "", false
	}
	values := x.r.Header[name]
	if len(values) == 0 {
		return "", false
	}
	list := values[len(values)-1]
	return strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:]), true
}

// normalHop tells a Connection header that lists nothing but the connection's own life.
func normalHop(h http.Header) bool {
	for _, v := range h["Connection"] {
		if !strings.EqualFold(v, "keep-alive") && !strings.EqualFold(v, "close") {
			return false
		}
	}
	return true
}

// outHeader is the header that the backend gets for a request that the cache may answer. shared tells that the answer may
// go to others too: conditions and ranges are then left out, for they are this client's alone.
func (x *exchange) outHeader(shared bool) http.Header {
	h := x.header.Clone()
	policy.RemoveHopByHop(h)
	policy.RemoveUnkeyed(h)
	if shared || !x.client.trusted {
		policy.RemoveClaims(h, x.m.spelled)
	}
	policy.RemoveAliases(h, true, x.m.spelled)
	// What is keyed is forwarded, even if it is one of the fields that are removed because they usually are not.
	for _, name := range x.m.keyHeaders {
		if v, ok := x.header[name]; ok && h[name] == nil && removable(name) {
			h[name] = slices.Clone(v)
		}
	}
	if shared {
		policy.RemoveConditionals(h)
	}
	policy.RemoveBodyFields(h)
	if x.body != nil {
		for _, name := range bodyFields {
			if v, ok := x.header[name]; ok {
				h[name] = slices.Clone(v)
			}
		}
	}
	if shared {
		x.removeClaims(h)
	}
	setAcceptEncoding(h)
	switch {
	case x.m.IgnoreCookies:
		delete(h, "Cookie")
	case x.m.onlyKeyedCookies:
		delete(h, "Cookie")
		if v := x.keyedCookies(); v != "" {
			h["Cookie"] = []string{v}
		}
	}
	if x.m.forward != nil {
		allowed := x.m.forward
		if x.body != nil {
			allowed = append(slices.Clip(allowed), bodyFields[:]...)
		}
		policy.KeepOnly(h, allowed)
	}
	x.finishHeader(h)
	return h
}

// keyedCookies is a Cookie header of what the key holds of the client's, and nothing else.
func (x *exchange) keyedCookies() string {
	var pairs []string
	for _, name := range x.m.cookies {
		for _, value := range policy.Cookie(x.header["Cookie"], name) {
			pairs = append(pairs, name+"="+value)
		}
	}
	return strings.Join(pairs, "; ")
}

// bodyFields are the fields about a body that a request with one keeps; they are keyed with it.
var bodyFields = [...]string{"Content-Type", "Content-Encoding", "Content-Language"}

// removeClaims removes what a client may put, unkeyed, into the fields that are about the way of a request. Of Via our own kind's
// members stay: by them a loop is found that comes by here, so that CDN-Loop is not needed for it.
func (x *exchange) removeClaims(h http.Header) {
	var ours []string
	for _, line := range h["Via"] {
		for member := range strings.SplitSeq(line, ",") {
			if member = strings.TrimSpace(member); isOurVia(member) && len(ours) < maxVia {
				ours = append(ours, member)
			}
		}
	}
	delete(h, "Via")
	if len(ours) > 0 {
		h["Via"] = ours
	}
	delete(h, "Cdn-Loop")
	if v := h["X-Forwarded-For"]; v != nil {
		h["X-Forwarded-For"] = x.state.believedHops(v)
	}
}

// maxVia is how many gateways of our kind a request may have come through and still be told apart from a loop.
const maxVia = 32

// removable tells a field that RemoveUnkeyed took from one that must never be forwarded as it came.
func removable(name string) bool {
	switch name {
	case "Forwarded", "Expect", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
		return false
	}
	return true
}

// finishHeader adds what every request to a backend carries.
func (x *exchange) finishHeader(h http.Header) {
	x.forwarded(h)
	via := slices.Clip(h["Via"])
	h["Via"] = append(via, x.g.via)
}

func setAcceptEncoding(h http.Header) {
	if v := policy.NormalizeAcceptEncoding(h["Accept-Encoding"]); v != "" {
		h["Accept-Encoding"] = []string{v}
	} else {
		delete(h, "Accept-Encoding")
	}
}

// outURL is the backend's URL with the request's path below the base path, byte for byte as it came, and a query.
func (x *exchange) outURL(query string) *url.URL {
	be := x.backend
	escaped := be.base + x.below
	path, err := url.PathUnescape(escaped)
	if err != nil {
		path = escaped // policy.CheckTarget has refused those
	}
	return &url.URL{Scheme: be.cfg.URL.Scheme, Host: be.cfg.URL.Host, Path: path, RawPath: escaped, RawQuery: query}
}

// outHost is the Host that the backend gets.
func (x *exchange) outHost() string {
	if x.backend.cfg.PreserveHost {
		return x.host
	}
	return x.backend.cfg.URL.Host
}

// sent gives the values of a request header as the backend gets them, for the key: what is forwarded is what is keyed.
func (x *exchange) sent(name string) (values []string, present bool) {
	switch name {
	case "Host":
		return []string{x.outHost()}, true
	case "Accept-Encoding":
		if v := policy.NormalizeAcceptEncoding(x.header[name]); v != "" {
			return []string{v}, true
		}
		return nil, false
	case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
		h := http.Header{}
		if v, ok := x.header[name]; ok {
			h[name] = slices.Clone(v)
		}
		x.removeClaims(h)
		x.forwarded(h)
		values, present = h[name]
		return values, present
	}
	values, present = x.header[textproto.CanonicalMIMEHeaderKey(name)]
	return values, present
}

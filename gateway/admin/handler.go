package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"stagecache/gateway/audit"
	"stagecache/gateway/identity"
	"stagecache/gateway/sigv4"
)

// Options are what a door is made of. Inner, Directory and Client are required.
type Options struct {
	Inner     http.Handler                   // what the permissions are for: the handler of package control
	Directory func() *identity.Directory     // of the configuration at work
	Client    func(*http.Request) netip.Addr // where a request came from, behind trusted proxies too
	Hosts     []string                       // names that the door answers to beside those of loopback
	Mounts    []Mount                        // other handlers
	Now       func() time.Time               // nil: time.Now
	Logger    *slog.Logger                   // refusals and their reasons; nil: none
}

// Mount is a handler that asks for permissions itself, with Authorize, once somebody is known to ask.
type Mount struct {
	Patterns []string // paths; one that ends with a slash is for all below it
	Handler  http.Handler
}

const (
	maxBody     = 1 << 20 // of a request, in bytes; what is behind the door may take less
	bodyTimeout = 10 * time.Second
	// answerTimeout bounds a whole answer; one that is streamed sets deadlines of its own.
	answerTimeout = 60 * time.Second
)

// Handler makes the door.
func Handler(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &door{o: o}
}

type door struct {
	o     Options
	cross http.CrossOriginProtection
}

// mounted gives the handler that a path belongs to; nil: none of the mounts. The path is taken as it is: a http.ServeMux would answer
// one with "//" or ".." in it by a redirect, in HTML.
func (d *door) mounted(path string) http.Handler {
	for _, m := range d.o.Mounts {
		for _, p := range m.Patterns {
			if path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
				return m.Handler
			}
		}
	}
	return nil
}

// caller is who passed the door.
type caller struct {
	user  *identity.User
	names identity.Names
	from  identity.Origin
	log   *slog.Logger
}

type callerKey struct{}

// ErrDenied: the caller has not the permission.
var ErrDenied = errors.New("not authorized to perform this action")

// denial is ErrDenied in AWS's words. It says what the caller asked for, and not which statement, or want of one, stands against it.
type denial struct{ account, user, action, arn string }

func (e denial) Error() string {
	return "User: arn:aws:iam::" + e.account + ":user/" + e.user + " is not authorized to perform: " + e.action + " on resource: " + e.arn
}

func (e denial) Is(target error) bool { return target == ErrDenied }

// Authorize tells whether the caller of a request that came through the door may do an action on a resource. Where not, it logs
// why, and its error is an ErrDenied.
func Authorize(r *http.Request, action, arn string) error {
	c, ok := r.Context().Value(callerKey{}).(*caller)
	if !ok {
		return ErrDenied // it did not come through the door
	}
	d := c.user.May([]string{action}, arn, c.from)
	if d.Allowed {
		return nil
	}
	c.log.Warn("administration denied", "user", c.user.Name, "action", action, "resource", arn, "source", c.from.Source, "reason", d.Reason())
	return denial{c.names.Account, c.user.Name, action, arn}
}

// ServeHTTP implements http.Handler.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			d.o.Logger.Error("panic in administration", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			refuse(w, http.StatusInternalServerError, "InternalServerErrorException", "internal error; see the gateway's log")
		}
	}()
	control := http.NewResponseController(w) // deadlines, by the machine's clock, do not exist where tests record answers
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	_ = control.SetWriteDeadline(time.Now().Add(answerTimeout))
	if (r.URL.Path == "/healthz" || r.URL.Path == "/readyz") && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		r.Body = http.NoBody
		d.o.Inner.ServeHTTP(w, r)
		return
	}
	if !d.hostAllowed(r) {
		d.o.Logger.Warn("administration refused: the Host is not allowed", "host", r.Host, "source", d.o.Client(r))
		refuse(w, http.StatusForbidden, "ForbiddenException", "this Host is not allowed here (admin.hosts)")
		return
	}
	if err := d.sameSite(r); err != nil {
		d.o.Logger.Warn("administration refused: a page of another site asked", "origin", r.Header.Get("Origin"), "source", d.o.Client(r))
		refuse(w, http.StatusForbidden, "ForbiddenException", "requests from web pages of other sites are refused")
		return
	}
	r, ok := d.identify(w, r)
	if !ok {
		return
	}
	_ = control.SetReadDeadline(time.Time{}) // from here on it would end the request's context while the work is going on
	if h := d.mounted(r.URL.Path); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	c := r.Context().Value(callerKey{}).(*caller)
	action, arn, known := needed(r, c.names)
	if !known {
		d.o.Logger.Warn("administration denied: no such route", "user", c.user.Name, "method", r.Method, "path", r.URL.Path)
		refuse(w, http.StatusForbidden, "AccessDeniedException", ErrDenied.Error())
		return
	}
	if err := Authorize(r, action, arn); err != nil {
		refuse(w, http.StatusForbidden, "AccessDeniedException", err.Error())
		return
	}
	d.o.Inner.ServeHTTP(w, r)
}

// identify finds out who asks. Only a request that claims to be one of ours has its body read.
func (d *door) identify(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	dir, now := d.o.Directory(), d.o.Now()
	from := identity.Origin{Source: d.o.Client(r), Secure: r.TLS != nil, Time: now}
	claim := dir.Claim(r.Header, r.URL.RawQuery)
	if claim == nil {
		d.refuseUnknown(w, r, from)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status, text := http.StatusBadRequest, "the body could not be read"
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status, text = http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody)
		}
		refuse(w, status, "BadRequestException", text)
		return nil, false
	}
	user, err := dir.Verify(claim, Signed(r, body), sigv4.Check{Now: now, Service: identity.ControlPlane})
	if err != nil {
		if errors.Is(err, identity.ErrReplayed) {
			// Two equal requests of one second have one signature, and the aws command line may well send them. Its like try again,
			// signed anew, where this is the answer; whoever replays what he has overheard gets nothing by it.
			d.o.Logger.Info("administration refused: the signature was used already", "path", r.URL.Path, "source", from.Source)
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "TooManyRequestsException", "the signature was used already: sign the request again")
			return nil, false
		}
		d.o.Logger.Warn("administration refused: the credential is false", "path", r.URL.Path, "source", from.Source, "reason", err)
		refuse(w, http.StatusForbidden, "InvalidSignatureException", "the credential was refused; see the gateway's log")
		return nil, false
	}
	via := "token"
	if claim.Signed() {
		via = "signature"
	}
	c := &caller{user: user, names: dir.Names, from: from, log: d.o.Logger}
	ctx := context.WithValue(r.Context(), callerKey{}, c)
	ctx = audit.With(ctx, audit.Actor{User: user.Name, Via: via, Source: from.Source.String()})
	r = r.WithContext(ctx)
	// Nobody behind the door has a use for the credential.
	r.URL.RawQuery = claim.Strip(r.Header, r.URL.RawQuery)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return r, true
}

// refuseUnknown answers who has shown no credential that is known, in the way that clients of the route understand.
func (d *door) refuseUnknown(w http.ResponseWriter, r *http.Request, from identity.Origin) {
	signed := sigv4.QueryKeyID(r.URL.RawQuery) != "" || strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-")
	if signed || r.Header["Authorization"] != nil {
		d.o.Logger.Warn("administration refused: the credential is not known", "path", r.URL.Path, "source", from.Source)
	}
	switch {
	case signed:
		refuse(w, http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.")
	case d.mounted(r.URL.Path) != nil:
		refuse(w, http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	default:
		w.Header().Set("WWW-Authenticate", `Bearer realm="stagecache"`)
		refuse(w, http.StatusUnauthorized, "MissingAuthenticationTokenException", "Missing Authentication Token: send a token or a signature of a user under iam")
	}
}

// Signed is a request as its signature covers it.
func Signed(r *http.Request, body []byte) *sigv4.Request {
	return &sigv4.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header,
		Length: r.ContentLength, BodyHash: sha256.Sum256(body),
	}
}

// refuse answers in a form that both cachectl and AWS's clients understand.
func refuse(w http.ResponseWriter, status int, kind, message string) {
	body, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		body = []byte(`{"message":"refused"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("x-amzn-ErrorType", kind)
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // whoever asked may have left
}

package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
)

// problem is an answer of the gateway's own: never stored, always JSON, and silent about what is behind the gateway.
type problem struct {
	status  int
	kind    string // x-amzn-ErrorType, in API Gateway's words
	message string
}

var (
	errNoStage      = &problem{http.StatusNotFound, "NotFoundException", "no stage answers here"}
	errNoRoute      = &problem{http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token"}
	errNoRefresh    = &problem{http.StatusForbidden, "AccessDeniedException", "not authorized to refresh this cache entry"}
	errFalse        = &problem{http.StatusForbidden, "InvalidSignatureException", "the credential was refused"}
	errNoPurge      = &problem{http.StatusForbidden, "AccessDeniedException", "not authorized to purge"}
	errMethod       = &problem{http.StatusMethodNotAllowed, "MethodNotAllowedException", "method not allowed"}
	errInternal     = &problem{http.StatusInternalServerError, "InternalServerErrorException", "Internal server error"}
	errUnreachable  = &problem{http.StatusBadGateway, "BadGatewayException", "Bad gateway: the backend cannot be reached"}
	errBadAnswer    = &problem{http.StatusBadGateway, "BadGatewayException", "Bad gateway: the backend gave no valid answer"}
	errCutAnswer    = &problem{http.StatusBadGateway, "BadGatewayException", "Bad gateway: the backend's answer was cut short"}
	errTimeout      = &problem{http.StatusGatewayTimeout, "EndpointTimeoutException", "Gateway timeout: the backend did not answer in time"}
	errLoop         = &problem{http.StatusLoopDetected, "LoopDetectedException", "this request has been through this gateway before"}
	errStopping     = &problem{http.StatusServiceUnavailable, "ServiceUnavailableException", "the gateway is shutting down"}
	errPrecondition = &problem{http.StatusPreconditionFailed, "PreconditionFailedException", "Precondition Failed"}
	errRange        = &problem{http.StatusRequestedRangeNotSatisfiable, "RangeNotSatisfiableException", "Requested Range Not Satisfiable"}
	errOnlyCached   = &problem{http.StatusGatewayTimeout, "EndpointTimeoutException", "Gateway timeout: there is no usable answer in the cache, and the request asked for no other"}
	errSlowBody     = &problem{http.StatusRequestTimeout, "RequestTimeoutException", "the body of the request did not arrive in time"}
	errBadBody      = &problem{http.StatusBadRequest, "BadRequestException", "the body of the request is not well-formed"}
)

func badRequest(message string) *problem {
	return &problem{http.StatusBadRequest, "BadRequestException", message}
}

// Causes that end a fetch; context.Cause tells them apart.
var (
	errSilent = errors.New("the backend did not send anything in time")
	errUnread = errors.New("nobody reads the answer any more")
	errStop   = errors.New("the gateway is shutting down")
	errDone   = errors.New("done")
)

// problemOf names what went wrong with a request to a backend, before its answer began.
func problemOf(ctx context.Context, err error) *problem {
	cause := context.Cause(ctx)
	var netErr net.Error
	switch {
	case errors.Is(cause, errSilent) || errors.Is(err, errSilent):
		return errTimeout
	case errors.Is(cause, errStop) || errors.Is(err, errStop):
		return errStopping
	case errors.As(err, &netErr) && netErr.Timeout():
		return errTimeout
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return errUnreachable
	}
	return errBadAnswer
}

// write sends the problem, unless an answer has begun already: then the connection is cut, so that the client does not
// take the part it has for the whole.
func (p *problem) write(w *response, head bool) {
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	body := make([]byte, 0, 128)
	body = append(body, `{"message":`...)
	body = appendJSONString(body, p.message)
	body = append(body, "}\n"...)
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Amzn-Errortype"] = []string{p.kind}
	w.WriteHeader(p.status)
	if !head {
		w.Write(body) // the client may be gone; the server sees that by itself
	}
}

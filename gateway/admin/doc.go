// Package admin is the door for administration over the network (admin.listen). Behind it are the same handlers as behind the
// unix socket, and whatever else is mounted; in it stands who may pass:
//
//	h := admin.Handler(admin.Options{Inner: control.Handler(...), Directory: g.Identity, ...})
//	srv := admin.Server(h, log) // with limits on headers and time
//
// A request passes with a bearer token or a signature for the service "apigateway" of a user whose policy allows the route's
// action on the route's ARN (permissions.go has the table). A route that is not in the table, nor mounted, is nobody's. /healthz and
// /readyz are open.
//
// Browsers are kept out: a Host that is not on the list (DNS rebinding), a request that another site caused (Origin,
// Sec-Fetch-Site), and there is no CORS. Refusals say no more than which of these it was; the reason is in the log.
package admin

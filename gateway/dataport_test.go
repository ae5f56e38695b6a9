package gateway

import "testing"

// Nothing administrative is reachable on the data port, whoever asks: there these are paths like others, which no stage answers.
func TestNothingAdministrativeOnTheDataPort(t *testing.T) {
	r := newRig(t, withUsers())
	for _, route := range [][2]string{
		{"GET", "/healthz"}, {"GET", "/readyz"}, {"GET", "/metrics"}, {"GET", "/v1/stats"}, {"GET", "/v1/stages"}, {"GET", "/v1/stages/prod"},
		{"PATCH", "/v1/stages/prod"}, {"DELETE", "/v1/stages/prod"}, {"POST", "/v1/stages/prod/flush"}, {"POST", "/v1/stages/prod/purge"},
		{"POST", "/v1/stages/prod/explain"}, {"POST", "/v1/stages/prod/compact"}, {"POST", "/v1/reload"}, {"POST", "/v1/keys/rotate"},
		{"GET", "/restapis"}, {"PATCH", "/restapis/shop/stages/prod"}, {"DELETE", "/restapis/shop/stages/prod/cache/data"}, {"GET", "/account"},
		{"GET", "/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fshop"}, {"GET", "/debug/pprof/"}, {"PURGE", "/v1/stages/prod"},
	} {
		for _, token := range []string{deployerToken, purgerToken} {
			if a := r.do(route[0], route[1], "Authorization", token); a.status != 404 {
				t.Errorf("%s %s: %d %s", route[0], route[1], a.status, a.body)
			}
		}
	}
	r.wantAsked(0)
}

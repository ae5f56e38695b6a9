package apigw

import (
	"net/url"
	"strconv"
)

// Pages of a list: API Gateway gives 25 at a time, and 500 at most.
const (
	usualLimit = 25
	mostLimit  = 500
)

// list is how every list looks: its member is "item", whatever SDKs call it.
type list[T any] struct {
	Item     []T    `json:"item"`
	Position string `json:"position,omitempty"` // where the next page begins; none after the last
}

// page cuts out of all what position and limit ask for. A position is the id of the page's first item, so that it stays good while
// items come and go.
func page[T any](all []T, id func(T) string, query url.Values) (list[T], *Error) {
	limit := usualLimit
	if s := query.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return list[T]{}, badRequest("Invalid limit specified: %q is not a number", s)
		}
		if limit = n; n < 1 || n > mostLimit {
			limit = mostLimit
		}
	}
	start := 0
	if p := query.Get("position"); p != "" {
		for start < len(all) && id(all[start]) != p {
			start++
		}
		if start == len(all) {
			return list[T]{}, badRequest("Invalid position parameter specified")
		}
	}
	end := min(start+limit, len(all))
	out := list[T]{Item: append([]T{}, all[start:end]...)}
	if end < len(all) {
		out.Position = id(all[end])
	}
	return out, nil
}

package policy

import "time"

// maxAge is where Age saturates (RFC 9111 1.2.2).
const maxAge = 2147483648

// Age gives the Age of a stored answer in whole seconds (RFC 9111 4.2.3): the time
// since it was stored, plus the age it had by then (initial: what the backend's own
// Age said, 0 if nothing). A clock that went back makes it no younger than initial;
// it is never negative and saturates at 2^31.
func Age(stored, now time.Time, initial int64) int64 {
	initial = min(max(initial, 0), maxAge)
	resident := max(int64(now.Sub(stored)/time.Second), 0)
	return min(initial+min(resident, maxAge), maxAge)
}

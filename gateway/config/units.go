package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	// Longest names first: "KiB" also ends in "B".
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a number of bytes: "6.1GB" is 6.1 * 10^9, "8MiB" is 8 * 2^20, a plain number is bytes.
// Case does not matter, and a space may stand before the unit.
func ParseSize(s string) (int64, error) {
	number, factor := strings.TrimSpace(s), int64(1)
	for _, u := range sizeUnits {
		if len(number) > len(u.name) && strings.EqualFold(number[len(number)-len(u.name):], u.name) {
			number, factor = strings.TrimSpace(number[:len(number)-len(u.name)]), u.bytes
			break
		}
	}
	if strings.HasPrefix(number, "-") {
		return 0, fmt.Errorf("%s is negative", quote(s))
	}
	whole, fraction, dotted := strings.Cut(number, ".")
	if !digits(whole) || dotted && !digits(fraction) {
		return 0, fmt.Errorf("%s is not a size", quote(s))
	}
	if len(number) > 30 {
		return 0, fmt.Errorf("%s is too large", quote(s))
	}
	// Exact arithmetic: 6.1GB has no exact float64, and a size that is one byte off is a surprise.
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, fmt.Errorf("%s is not a size", quote(s))
	}
	r.Mul(r, new(big.Rat).SetInt64(factor))
	if !r.IsInt() {
		return 0, fmt.Errorf("%s is not a whole number of bytes", quote(s))
	}
	if !r.Num().IsInt64() {
		return 0, fmt.Errorf("%s is too large", quote(s))
	}
	return r.Num().Int64(), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// FormatSize writes a size so that ParseSize reads the same number back: "6.1GB", "500MB", "8MiB", "1234567B".
func FormatSize(n int64) string {
	units := []struct {
		name string
		n    int64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}}
	for _, u := range units {
		if n < u.n {
			continue
		}
		// Three digits after the point at most.
		if n%(u.n/1000) == 0 {
			return strconv.FormatInt(n/u.n, 10) + strings.TrimRight(fmt.Sprintf(".%03d", n%u.n/(u.n/1000)), ".0") + u.name
		}
		break
	}
	if n > 0 && n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + "MiB"
	}
	return strconv.FormatInt(n, 10) + "B"
}

var errBareNumber = errors.New("has no unit")

// ParseDuration reads a time span with its unit: "300s", "5m", "1h30m", "29.5s", "7d". A bare number is an error.
func ParseDuration(s string) (time.Duration, error) {
	t := strings.TrimSpace(s)
	if digits(strings.TrimPrefix(t, "-")) {
		return 0, fmt.Errorf("%s %w", quote(s), errBareNumber)
	}
	if strings.HasPrefix(t, "-") {
		return 0, fmt.Errorf("%s is negative", quote(s))
	}
	days, rest, found := strings.Cut(t, "d")
	if !found {
		days, rest = "0", t
	}
	if !digits(days) || strings.HasPrefix(rest, "+") {
		return 0, fmt.Errorf("%s is not a duration", quote(s))
	}
	n, err := strconv.ParseInt(days, 10, 64)
	if err != nil || n > math.MaxInt64/int64(24*time.Hour) {
		return 0, fmt.Errorf("%s is too long", quote(s))
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" && found {
		return d, nil
	}
	r, err := time.ParseDuration(rest)
	if err != nil || r < 0 {
		return 0, fmt.Errorf("%s is not a duration", quote(s))
	}
	if d+r < 0 {
		return 0, fmt.Errorf("%s is too long", quote(s))
	}
	return d + r, nil
}

// ParseSeconds is ParseDuration where a bare number means seconds, as in API Gateway's cacheTtlInSeconds.
func ParseSeconds(s string) (time.Duration, error) {
	d, err := ParseDuration(s)
	if !errors.Is(err, errBareNumber) {
		return d, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	switch {
	case strings.HasPrefix(strings.TrimSpace(s), "-"):
		return 0, fmt.Errorf("%s is negative", quote(s))
	case err != nil || n > math.MaxInt64/int64(time.Second):
		return 0, fmt.Errorf("%s is too long", quote(s))
	}
	return time.Duration(n) * time.Second, nil
}

// FormatDuration writes whole seconds as the file does ("3600s"), and the rest as Go does ("1.5s", "250ms").
func FormatDuration(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return d.String()
}

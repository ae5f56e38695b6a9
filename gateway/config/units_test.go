package config

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "512MB": 512e6, "6.1GB": 6_100_000_000, "0.5GB": 500e6, "1 GB": 1e9, "1kb": 1000, "8MiB": 8 << 20, "1.5KiB": 1536,
		"1GiB": 1 << 30, "2TB": 2e12, "7B": 7, "9223372036854775807": math.MaxInt64, " 5MB ": 5e6, "1.000KB": 1000, "118GB": 118e9,
	} {
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"":                    `"" is not a size`,
		"GB":                  `"GB" is not a size`,
		"-1GB":                `"-1GB" is negative`,
		"1.GB":                `"1.GB" is not a size`,
		".5GB":                `".5GB" is not a size`,
		"1e9":                 `"1e9" is not a size`,
		"0x10":                `"0x10" is not a size`,
		"1_000":               `"1_000" is not a size`,
		"1/3GB":               `"1/3GB" is not a size`,
		"1,5GB":               `"1,5GB" is not a size`,
		"NaN":                 `"NaN" is not a size`,
		"5PB":                 `"5PB" is not a size`,
		"0.5B":                `"0.5B" is not a whole number of bytes`,
		"9223372036854775808": `"9223372036854775808" is too large`,
		"99999999TB":          `"99999999TB" is too large`,
		"1111111111111111111111111111111111111111GB": `"1111111111111111111111111111111111111111GB" is too large`,
	} {
		if got, err := ParseSize(s); err == nil || err.Error() != want {
			t.Errorf("%q: %d, %v; want %s", s, got, err, want)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 999: "999B", 1000: "1KB", 1536: "1.536KB", 500e6: "500MB", 6_100_000_000: "6.1GB", 8 << 20: "8MiB", 1234567: "1234567B", 2e12: "2TB", 1_050_000: "1.05MB",
	} {
		if got := FormatSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, math.MaxInt64).Draw(t, "n") / rapid.SampledFrom([]int64{1, 1e3, 1e6, 1e9}).Draw(t, "by") * rapid.SampledFrom([]int64{1, 1e3, 1e6}).Draw(t, "times")
		if n < 0 {
			n = 0
		}
		if back, err := ParseSize(FormatSize(n)); err != nil || back != n {
			t.Fatalf("%d -> %s -> %d, %v", n, FormatSize(n), back, err)
		}
	})
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"300s": 300 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "29.5s": 29500 * time.Millisecond, "250ms": 250 * time.Millisecond,
		"7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0, " 1s ": time.Second,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"300": `"300" has no unit`, "0": `"0" has no unit`, "": `"" is not a duration`, "s": `"s" is not a duration`, "-5s": `"-5s" is negative`,
		"d": `"d" is not a duration`, "1.5d": `"1.5d" is not a duration`, "1d-1h": `"1d-1h" is not a duration`, "+5s": `"+5s" is not a duration`,
		"999999999d": `"999999999d" is too long`, "106751d99h": `"106751d99h" is too long`, "5 minutes": `"5 minutes" is not a duration`, "1d5": `"1d5" is not a duration`,
		"99999999999999999999d": `"99999999999999999999d" is too long`,
	} {
		if got, err := ParseDuration(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v; want %s", s, got, err, want)
		}
	}
	for s, want := range map[string]time.Duration{"300": 300 * time.Second, "0": 0, "5m": 5 * time.Minute} {
		if got, err := ParseSeconds(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{"-1": `"-1" is negative`, "9223372036854775807": `"9223372036854775807" is too long`, "x": `"x" is not a duration`} {
		if got, err := ParseSeconds(s); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v; want %s", s, got, err, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", time.Hour: "3600s", 1500 * time.Millisecond: "1.5s"} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"ttl", "negative_ttl", "encrypt", "cacheTtlInSeconds", "cookies"}
	for word, want := range map[string]string{
		"tll": "ttl", "TTL": "ttl", "encrpyt": "encrypt", "negativettl": "negative_ttl", "cachettlinsecond": "cacheTtlInSeconds", "cookie": "cookies", "zebra": "", "": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// bytesText writes a size for people: "0 B", "999 B", "1.2 MB". Sizes are decimal, as in the configuration.
func bytesText(n int64) string {
	if n < 1000 && n > -1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for (v >= 999.95 || v <= -999.95) && unit < 4 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %s", v, []string{"B", "KB", "MB", "GB", "TB"}[unit])
}

// countText writes a number with its thousands apart: "1,234,567".
func countText[N int64 | uint64](n N) string {
	s := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plural writes "1 entry", "2 entries".
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(n) + " " + many
}

// secondsText writes a span for people: "0.4 ms", "1.2 s", "3m20s", "4h10m", "12d3h".
func secondsText(s float64) string {
	switch {
	case s < 1:
		return strconv.FormatFloat(s*1000, 'f', 1, 64) + " ms"
	case s < 60:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	case s < 3600:
		return (time.Duration(s) * time.Second).String()
	case s < 24*3600:
		return fmt.Sprintf("%dh%dm", int(s)/3600, int(s)/60%60)
	}
	return fmt.Sprintf("%dd%dh", int(s)/86400, int(s)/3600%24)
}

// percentText writes a ratio: "97.3 %".
func percentText(r float64) string { return strconv.FormatFloat(r*100, 'f', 1, 64) + " %" }

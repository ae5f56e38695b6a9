//go:build !race

package smallzstd

const raceDetector = false

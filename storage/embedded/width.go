package embedded

import "strings"

// How far ranges reach, and where a search for those that end above a value begins.
//
// "Hi above x" is asked of an index in the order of Lo. Ranges that begin at x or behind it satisfy it; of those that begin before it only
// the ones that reach over x do. Ranges are therefore told apart by what they can reach over: a point and a range within one day can reach
// over x only if they begin within x's own day, so the rows by Lo are read from there on. Any other range is wide and has a row by its node:
// the bytes that its Lo and Hi have in common. A range that reaches over x has them in common with x, so its node is one of the few
// beginnings of x, and under a node rows are in the order of Hi.

// width says what a range can reach over.
type width uint8

const (
	// point: Hi is Lo and the mark behind a point, as the range of a number is.
	point width = iota
	// inSecond: it ends no later than the second of the calendar that it begins in.
	inSecond
	// inDay: it ends no later than the day of the calendar that it begins in.
	inDay
	// wide: none of these.
	wide
)

const (
	// dayDigits and secondDigits are how many digits of a moment tell its day and its second. Zeros behind the day may be left out.
	dayDigits, secondDigits = 8, 14
	// afterPoint is what the upper bound of a point has behind the lower one.
	afterPoint = '!'
	// maxNode is the length to which nodes are cut.
	maxNode = 32
)

// widthOf returns the width of a range.
func widthOf(lo, hi string) width {
	if n := len(lo); len(hi) == n+1 && hi[n] == afterPoint && hi[:n] == lo {
		return point
	}
	if !isDay(lo) {
		return wide
	}
	var day [dayDigits]byte
	if copy(day[:], lo); hi[:min(len(hi), dayDigits)] != lo[:dayDigits] {
		if !nextDay(&day) || hi > string(day[:]) {
			return wide
		}
	}
	if isSecond(lo) && endsInSecond(lo, hi) {
		return inSecond
	}
	return inDay
}

// isDay reports whether v begins with a day of the calendar.
func isDay(v string) bool {
	if len(v) < dayDigits || !digits(v[:dayDigits]) {
		return false
	}
	m, d := two(v[4:]), two(v[6:])
	return m >= 1 && m <= 12 && d >= 1 && d <= daysIn(four(v), m)
}

// isSecond reports whether what follows the day in v are hours, minutes and seconds, as far as they are there.
func isSecond(v string) bool {
	t := secondOf(v)
	return digits(string(t[dayDigits:])) && two(string(t[8:])) < 24 && two(string(t[10:])) < 60 && two(string(t[12:])) < 60
}

// secondOf returns the first digits of v, with zeros where it ends before.
func secondOf(v string) (t [secondDigits]byte) {
	for i := copy(t[:], v); i < len(t); i++ {
		t[i] = '0'
	}
	return t
}

// endsInSecond reports whether a range from lo, which is a moment, ends with the second of lo at the latest.
func endsInSecond(lo, hi string) bool {
	t := secondOf(lo)
	if len(hi) > secondDigits && hi[:secondDigits] == string(t[:]) {
		return true
	}
	// The next second: 59 seconds, minutes and 23 hours carry.
	i := 12
	for ; i >= dayDigits; i -= 2 {
		most := 59
		if i == dayDigits {
			most = 23
		}
		n := two(string(t[i:i+2])) + 1
		if n <= most {
			t[i], t[i+1] = byte('0'+n/10), byte('0'+n%10)
			break
		}
		t[i], t[i+1] = '0', '0'
	}
	if i < dayDigits {
		var day [dayDigits]byte
		if copy(day[:], t[:]); !nextDay(&day) {
			return false
		}
		copy(t[:], day[:])
	}
	return hi <= trimmed(string(t[:]))
}

// trimmed leaves out the zeros at the end of a moment, from the hour on.
func trimmed(v string) string {
	return v[:dayDigits] + strings.TrimRight(v[dayDigits:], "0")
}

// nextDay moves a day on; false at the end of the calendar, which is that of four digits.
func nextDay(day *[dayDigits]byte) bool {
	v := string(day[:])
	y, m, d := four(v), two(v[4:]), two(v[6:])+1
	if d > daysIn(y, m) {
		d, m = 1, m+1
	}
	if m > 12 {
		m, y = 1, y+1
	}
	for i, n := range [...]int{y / 1000, y / 100 % 10, y / 10 % 10, y % 10, m / 10, m % 10, d / 10, d % 10} {
		day[i] = byte('0' + n)
	}
	return y < 10_000
}

func daysIn(y, m int) int {
	switch {
	case m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4, m == 6, m == 9, m == 11:
		return 30
	}
	return 31
}

func digits(v string) bool {
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return true
}

func two(v string) int { return int(v[0]-'0')*10 + int(v[1]-'0') }

func four(v string) int { return two(v)*100 + two(v[2:]) }

// earliest returns the least Lo of a range that is not wide and has its Hi within bounds from below. seconds tells that no such range is
// wider than a second.
func earliest(hi bounds, seconds bool) string {
	switch x := hi.low; {
	case x == "" || x[0] < '0' || x[0] > '9':
		// No day begins like this, and a point below x reaches over it only where x goes on with less than the mark. Above the end of a
		// point are only the points above it.
		i := strings.IndexFunc(x, func(c rune) bool { return c <= afterPoint })
		switch {
		case i < 0:
			return x
		case hi.above && i == len(x)-1 && x[i] == afterPoint:
			return x[:i] + "\x00"
		}
		return x[:i]
	case !hi.above || !isDay(x):
		return "" // a range that ends at x may begin the day before; no search asks for it
	case seconds && isSecond(x):
		return trimmed(x[:min(len(x), secondDigits)])
	default:
		return x[:dayDigits]
	}
}

// nodeOf returns what the bounds of a range have in common.
func nodeOf(lo, hi string) string {
	n := 0
	for n < len(lo) && n < len(hi) && n < maxNode && lo[n] == hi[n] {
		n++
	}
	return lo[:n]
}

// shape is what a parameter's shape learns of a range.
func (w width) shape() shape {
	switch w {
	case inDay:
		return shapeDays
	case wide:
		return shapeWide
	}
	return 0
}

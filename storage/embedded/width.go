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
	// inMicrosecond: it ends no later than the microsecond that it begins in, as the range of an instant of this server does.
	inMicrosecond
	// inSecond: it ends no later than the second that it begins in.
	inSecond
	// inDay: it ends no later than the day of the calendar that it begins in.
	inDay
	// wide: none of these.
	wide
)

const (
	// How many digits of a moment tell its day, its second and its microsecond. Zeros behind the day may be left out.
	dayDigits, secondDigits, microDigits = 8, 14, 20
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
	switch {
	case !isSecond(lo) || !endsIn(lo, hi, secondDigits):
		return inDay
	case !endsIn(lo, hi, microDigits):
		return inSecond
	}
	return inMicrosecond
}

// isDay reports whether v begins with a day of the calendar.
func isDay(v string) bool {
	if len(v) < dayDigits || !digits(v[:dayDigits]) {
		return false
	}
	m, d := two(v[4:]), two(v[6:])
	return m >= 1 && m <= 12 && d >= 1 && d <= daysIn(four(v), m)
}

// isSecond reports whether what follows the day in v are hours, minutes, seconds and a fraction, as far as they are there.
func isSecond(v string) bool {
	t := padded(v)
	return digits(string(t[dayDigits:])) && two(string(t[8:])) < 24 && two(string(t[10:])) < 60 && two(string(t[12:])) < 60
}

// padded returns the first digits of v, with zeros where it ends before.
func padded(v string) (t [microDigits]byte) {
	for i := copy(t[:], v); i < len(t); i++ {
		t[i] = '0'
	}
	return t
}

// endsIn reports whether a range from lo, which is a moment, ends at the latest with the second or microsecond of lo, which n digits tell.
func endsIn(lo, hi string, n int) bool {
	t := padded(lo)
	if len(hi) > n && hi[:n] == string(t[:n]) {
		return true
	}
	// What follows it: nines of the fraction, 59 seconds and minutes and 23 hours carry.
	for i := n; i > dayDigits; {
		most, width := 9, 1
		if i <= secondDigits {
			most, width = 59, 2
		}
		if i == dayDigits+2 {
			most = 23
		}
		i -= width
		next := 0
		for _, c := range t[i : i+width] {
			next = next*10 + int(c-'0')
		}
		if next++; next <= most {
			for j := i + width - 1; j >= i; j-- {
				t[j] = byte('0' + next%10)
				next /= 10
			}
			return hi <= trimmed(string(t[:n]))
		}
		clear0(t[i : i+width])
	}
	var day [dayDigits]byte
	copy(day[:], t[:])
	return nextDay(&day) && hi <= string(day[:])
}

// clear0 makes zeros of digits.
func clear0(d []byte) {
	for i := range d {
		d[i] = '0'
	}
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

// earliest returns the least Lo of a range that is not wide and has its Hi within bounds from below. st tells what widths there are.
func earliest(hi bounds, st shape) string {
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
	case st&shapeDays != 0 || !isSecond(x):
		return x[:dayDigits]
	case st&shapeSeconds != 0:
		return trimmed(x[:min(len(x), secondDigits)])
	default:
		return trimmed(x[:min(len(x), microDigits)])
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
	case inSecond:
		return shapeSeconds
	case inDay:
		return shapeDays
	case wide:
		return shapeWide
	}
	return 0
}

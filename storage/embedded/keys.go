package embedded

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// The tables. Each is the first byte of its keys; doc.go shows them as worked examples.
const (
	tableFormat   byte = 0x01
	tableName     byte = 0x02 // number -> name
	tableShape    byte = 0x03 // number -> what entries the parameter has had
	tableClock    byte = 0x04 // the instant of the last commit
	tableMeta     byte = 0x05 // name -> value
	tableCount    byte = 0x06 // counters
	tableIdentity byte = 0x07 // the store's own id
	tableDocument byte = 0x10 // type, id -> current version
	tableEntries  byte = 0x11 // type, id -> entries of the current version; absent where it is deleted
	tableOld      byte = 0x12 // type, id, version descending -> superseded version
	tableHistory  byte = 0x13 // type, instant descending, id, version descending
	tableIndex    byte = 0x20 // index, columns, id, rest
	tableSample   byte = 0x21 // the same keys, for one id of 64
	tableSparse   byte = 0x22 // the same keys, for one id of 4096
)

// numberSize is the width of a name's number in keys.
const numberSize = 3

// maxColumn is the length to which a column's value is cut in keys. A row whose value was cut says so, and is checked against the entries.
const maxColumn = 1024

// appendNumber appends a name's number.
func appendNumber(b []byte, n uint32) []byte {
	return append(b, byte(n>>16), byte(n>>8), byte(n))
}

// typeKey returns the key of id, or without id the prefix, in a table by type and id.
func typeKey(b []byte, table byte, typ uint32, id string) []byte {
	b = appendNumber(append(b, table), typ)
	return append(b, id...)
}

// appendColumn appends v so that the order of keys is the order of values, whatever bytes they hold: 0x00 is written as 0x00 0xFF, and the
// end as 0x00 0x01. cut reports that v was longer than maxColumn.
func appendColumn(b []byte, v string) (out []byte, cut bool) {
	if len(v) > maxColumn {
		v, cut = v[:maxColumn], true
	}
	return append(appendEscaped(b, v), 0x00, 0x01), cut
}

// appendEscaped appends v without its end: the beginning of every value that starts with v.
func appendEscaped(b []byte, v string) []byte {
	for i := 0; i < len(v); i++ {
		if v[i] == 0 {
			b = append(b, 0x00, 0xFF)
		} else {
			b = append(b, v[i])
		}
	}
	return b
}

// columnEnd returns the index behind the column that k starts with; -1 where it does not end.
func columnEnd(k []byte) int {
	for i := 0; ; {
		j := bytes.IndexByte(k[i:], 0)
		if j < 0 || i+j+1 >= len(k) {
			return -1
		}
		i += j + 2
		if k[i-1] == 0x01 {
			return i
		}
	}
}

// columnValue decodes a column as appendColumn wrote it, its end included.
func columnValue(col []byte) []byte {
	col = col[:len(col)-2]
	if bytes.IndexByte(col, 0) < 0 {
		return col
	}
	out := make([]byte, 0, len(col))
	for i := 0; i < len(col); i++ {
		out = append(out, col[i])
		if col[i] == 0 {
			i++
		}
	}
	return out
}

// prefixEnd returns the first key behind all that start with p.
func prefixEnd(p []byte) []byte {
	end := append([]byte(nil), p...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xFF {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// within are the iterator options for the keys that start with p.
func within(p []byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: p, UpperBound: prefixEnd(p)}
}

// appendDescending appends v so that greater values come first.
func appendDescending(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, ^uint64(v))
}

// descending decodes what appendDescending wrote.
func descending(b []byte) int64 { return int64(^binary.BigEndian.Uint64(b)) }

package fhir

import "strconv"

// AppendSeparator appends the comma that stands between two members or items of JSON; nothing behind the start of an object or array, and behind a
// member's name.
func AppendSeparator(dst []byte) []byte {
	if len(dst) == 0 {
		return dst
	}
	switch dst[len(dst)-1] {
	case '{', '[', ':', ',':
		return dst
	}
	return append(dst, ',')
}

// AppendName appends the name of a JSON member, with the comma before it where one is needed. The member's value follows.
func AppendName(dst []byte, name string) []byte {
	return append(AppendString(AppendSeparator(dst), name), ':')
}

// JSONWriter appends JSON to Bytes, and writes the commas itself. Of a member whose value is empty it writes nothing.
type JSONWriter struct{ Bytes []byte }

// Name starts a member.
func (w *JSONWriter) Name(name string) { w.Bytes = AppendName(w.Bytes, name) }

// Open starts an object or array with its bracket, as an item or as the value of the member that Name started.
func (w *JSONWriter) Open(bracket byte) { w.Bytes = append(AppendSeparator(w.Bytes), bracket) }

// Close ends an object or array with its bracket.
func (w *JSONWriter) Close(bracket byte) { w.Bytes = append(w.Bytes, bracket) }

// String writes a member with a string.
func (w *JSONWriter) String(name, value string) {
	if value != "" {
		w.Name(name)
		w.Bytes = AppendString(w.Bytes, value)
	}
}

// Bool writes a member that is true or false.
func (w *JSONWriter) Bool(name string, value bool) {
	w.Name(name)
	w.Bytes = strconv.AppendBool(w.Bytes, value)
}

// Int writes a member with an integer.
func (w *JSONWriter) Int(name string, value int64) {
	w.Name(name)
	w.Bytes = strconv.AppendInt(w.Bytes, value, 10)
}

// Strings writes a member with a list of strings.
func (w *JSONWriter) Strings(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.Name(name)
	w.Open('[')
	for _, v := range values {
		w.Bytes = AppendString(AppendSeparator(w.Bytes), v)
	}
	w.Close(']')
}

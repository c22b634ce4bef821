package definition

import "testing"

func TestR4HasEveryConcreteResourceType(t *testing.T) {
	if n := len(R4().ResourceTypes()); n != 146 {
		t.Errorf("%d concrete resource types, want 146", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		decode(indexFile, documentsFile)
	}
}

package embedded

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestDiskPerResource fills a store, compacts it, and looks at the folder: the aim is 2 KB a resource, all in.
func TestDiskPerResource(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := newPopulation(20_000)
	p.Fill(t, s)
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	rows, raw := 0, 0
	it, err := s.db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	perTable := map[byte]int{}
	for ok := it.First(); ok; ok = it.Next() {
		rows++
		v, _ := it.ValueAndErr()
		raw += len(it.Key()) + len(v)
		perTable[it.Key()[0]] += len(it.Key()) + len(v)
	}
	it.Close()
	s.Close()
	var size int64
	filepath.Walk(dir, func(_ string, i os.FileInfo, _ error) error {
		if i != nil && !i.IsDir() && filepath.Ext(i.Name()) == ".sst" {
			size += i.Size()
		}
		return nil
	})
	t.Logf("%d rows and %d bytes a resource, %d on disk; by table %v", rows/p.N, raw/p.N, size/int64(p.N), perTable)
	if per := size / int64(p.N); per > 2048 {
		t.Errorf("%d bytes a resource on disk", per)
	}
}

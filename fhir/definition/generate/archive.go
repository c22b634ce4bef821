package main

import "github.com/klauspost/compress/zstd"

// frameSize is how many bytes of documents are compressed together: enough to find repetition, little enough to unpack in a millisecond.
const frameSize = 256 << 10

// archive packs documents into zstd frames that can be unpacked one by one.
type archive struct {
	data   []byte
	frames []int // length of each frame in data
}

// entry says where a document lies: its frame, and its bytes in the unpacked frame.
type entry struct {
	name                string
	frame, offset, size int
}

func (a *archive) add(docs []document) []entry {
	var out []entry
	var frame []byte
	flush := func() {
		if len(frame) > 0 {
			z := compress(frame)
			a.data = append(a.data, z...)
			a.frames = append(a.frames, len(z))
			frame = frame[:0]
		}
	}
	for _, d := range docs {
		if len(frame)+len(d.json) > frameSize {
			flush()
		}
		out = append(out, entry{d.name, len(a.frames), len(frame), len(d.json)})
		frame = append(frame, d.json...)
	}
	flush()
	return out
}

// compress returns b as one zstd frame that states its size.
func compress(b []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // the options are constants
	}
	defer w.Close()
	return w.EncodeAll(b, nil)
}

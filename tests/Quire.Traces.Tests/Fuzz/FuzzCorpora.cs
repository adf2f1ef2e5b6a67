using Quire.Traces.Tests.Sources;

namespace Quire.Traces.Tests.Fuzz;

/// <summary>Small traces of every format, made of a real kernel's pages and of a recording, to be cut and changed at random.</summary>
internal static class FuzzCorpora
{
    private const int PagesEach = 3;

    internal enum Packing
    {
        None,
        Gzip,
        Zstandard,
    }

    /// <summary>One kind of input: its plain bytes, and what they are packed in after they were changed.</summary>
    /// <param name="Name">For messages.</param>
    /// <param name="Bytes">A whole trace.</param>
    /// <param name="IsText">Whether changes are to follow a text's grammar.</param>
    /// <param name="Outer">What the changed bytes are packed in.</param>
    internal sealed record Corpus(string Name, byte[] Bytes, bool IsText, Packing Outer);

    internal static List<Corpus> All()
    {
        DatBuilder kernel = Kernel();
        byte[] ring = RandomRecording.Make(3, rounds: 1).ToBytes();
        List<Corpus> all =
        [
            new("ring", ring, false, Packing.None),
            new("trace.dat 6", kernel.ToVersion6(), false, Packing.None),
            new("trace.dat 7", kernel.ToVersion7(), false, Packing.None),
            new("trace.dat 7 zlib", kernel.ToVersion7(2), false, Packing.None),
            new("trace.dat 7 zstd", kernel.ToVersion7(2, "zstd", PackedFileTests.Zstandard), false, Packing.None),
            new("trace.dat 6 big-endian", Foreign(), false, Packing.None),
            new("trace.dat 6 in gzip", kernel.ToVersion6(), false, Packing.Gzip),
            new("trace.dat 7 in zstd", kernel.ToVersion7(), false, Packing.Zstandard),
            new("gzip", PackedFileTests.Gzip(kernel.ToVersion6()), false, Packing.None),
            new("zstd", PackedFileTests.Zstandard(ring), false, Packing.None),
        ];
        foreach ((string name, byte[] text) in TextCorpora.All)
        {
            all.Add(new Corpus($"text: {name}", text, true, Packing.None));
        }

        return all;
    }

    /// <summary>The corpus changed: cut, or with bytes, numbers and parts overwritten, moved and left out.</summary>
    internal static byte[] Change(Corpus corpus, Random random)
    {
        byte[] bytes = corpus.IsText ? TextCorpora.Mutate(corpus.Bytes, random) : Mutate(corpus.Bytes, random);
        return corpus.Outer switch
        {
            Packing.Gzip => PackedFileTests.Gzip(bytes),
            Packing.Zstandard => PackedFileTests.Zstandard(bytes),
            _ => bytes,
        };
    }

    private static byte[] Mutate(byte[] whole, Random random)
    {
        if (random.Next(6) == 0)
        {
            return whole[..random.Next(whole.Length)];
        }

        byte[] bytes = (byte[])whole.Clone();
        for (int change = random.Next(1, 10); change > 0; change--)
        {
            // Half of them near the front, where every byte means something.
            int at = random.Next(2) == 0 ? random.Next(Math.Min(400, bytes.Length)) : random.Next(bytes.Length);
            Span<byte> rest = bytes.AsSpan(at);
            int length = Math.Min(rest.Length, 1 << random.Next(11));
            switch (random.Next(8))
            {
                case 0:
                    rest[0] = (byte)random.Next(256);
                    break;
                case 1:
                    rest[0] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    Put(rest, random.Next(4) switch { 0 => ulong.MaxValue, 1 => 0, 2 => (ulong)bytes.Length, _ => long.MaxValue }, random);
                    break;
                case 3:
                    Put(rest, (ulong)random.Next(bytes.Length * 2), random);
                    break;
                case 4:
                    bytes.AsSpan(random.Next(bytes.Length - length + 1), length).CopyTo(rest[..length]);
                    break;
                case 5:
                    rest[..length].Clear();
                    break;
                case 6:
                    random.NextBytes(rest[..Math.Min(length, 16)]);
                    break;
                default:
                    // A part less, and all behind it somewhere else.
                    rest[length..].CopyTo(rest);
                    bytes = bytes[..^length];
                    if (bytes.Length == 0)
                    {
                        return bytes;
                    }

                    break;
            }
        }

        return bytes;
    }

    private static void Put(Span<byte> target, ulong value, Random random)
    {
        int size = Math.Min(target.Length, 1 << random.Next(4));
        DatBytes.Put(target[..size], value, random.Next(4) == 0);
    }

    /// <summary>The first pages of a real recording's CPUs, with the formats of their events.</summary>
    private static unsafe DatBuilder Kernel()
    {
        DatBuilder dat = new(isBigEndian: false, 8) { Symbols = "ffffffff81000000 T _text\nffffffff812d0000 t page_ref\nffffffff81300000 T cma_alloc\n" };
        dat.Formats.Clear();
        using FileMap map = new(DatReadTests.Sample, File.OpenRead(DatReadTests.Sample));
        using DatFile file = new(map, new TraceQuality());
        dat.Formats.AddRange(file.Formats.Where(static format => format.System is "page_ref" or "cma" or "page_isolation").Select(static format => format.FormatText));
        foreach (DatCpuData cpu in file.Buffers[0].Cpus)
        {
            using DatPages pages = new(map, file, file.Buffers[0], cpu);
            List<byte> data = [];
            for (int page = 0; page < PagesEach && pages.TryNext(out byte* bytes, out int length); page++)
            {
                data.AddRange(new ReadOnlySpan<byte>(bytes, length));
            }

            dat.Data.Add(("", dat.Data.Count, [.. data]));
        }

        dat.Option(2, "CPU: 0\nentries: 0\noverrun: 77\ndropped events: 5\n");
        dat.Option(4, "[local] global counter\n");
        dat.Option(5, "Linux box 6.1");
        dat.Option(12, [.. dat.Number(8, 1), .. dat.Number(4, 1), .. dat.Number(4, 1), .. dat.Number(4, 2), .. Enumerable.Range(1, 6).SelectMany(number => dat.Number(8, (ulong)number * 1000))]);
        dat.Option(13, [.. "guest\0"u8, .. dat.Number(8, 0xabc), .. dat.Number(4, 0)]);
        dat.Option(14, [.. dat.Number(4, 1 << 20), .. dat.Number(4, 20), .. dat.Number(8, 0)]);
        return dat;
    }

    private static byte[] Foreign()
    {
        DatBuilder dat = new(isBigEndian: true, 4);
        for (int cpu = 0; cpu < 2; cpu++)
        {
            byte[][] pages = [.. Enumerable.Range(0, 2).Select(page => dat.Page((ulong)page * 100_000, page == 1 ? 4 : null,
                [.. Enumerable.Range(0, 20).SelectMany(number => new[] { dat.Event(10, dat.Probe(42, (ulong)number, 1, 2, "abc", "text", "near")), dat.Event(0, dat.Stack(42, 0, 0x1000)) })]))];
            dat.Data.Add(("", cpu, [.. pages.SelectMany(static page => page)]));
        }

        dat.Data.Add(("side", 0, dat.Page(7, null, dat.Event(10, dat.Probe(42, 1, 1, 2, "abc", "text", "near")))));
        return dat.ToVersion6();
    }
}

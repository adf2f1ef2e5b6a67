using System.Diagnostics;
using System.IO.Compression;
using Xunit;

namespace Quire.Traces.Tests.Sources;

/// <summary>Traces that are packed, or come through pipes, say what the plain file says.</summary>
public sealed class PackedFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-packed-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("gz")]
    [InlineData("zst")]
    [InlineData("gz.gz")]
    [InlineData("gz.zst")]
    [InlineData("zst.gz.gz")]
    public void A_packed_file_says_what_the_plain_one_says(string packings)
    {
        byte[] plain = File.ReadAllBytes(DatReadTests.Sample);
        byte[] packed = packings.Split('.').Aggregate(plain, (bytes, packing) => packing == "gz" ? Gzip(bytes) : Zstandard(bytes));
        string file = Write($"trace.dat.{packings}", packed);
        using TraceInput expected = TraceInput.Open(DatReadTests.Sample);
        using TraceInput input = TraceInput.Open(file);
        Assert.Equal(TraceTexts.Of(expected), TraceTexts.Of(input));
        Assert.Equal((file, "trace.dat 7"), (input.Source.Path, input.Source.Format));
        Assert.Equal(expected.Quality.ToString(), input.Quality.ToString());
        input.Rewind();
        Assert.True(input.TryRead(out _));
    }

    [Fact]
    public void Several_members_or_frames_behind_each_other_are_one_file()
    {
        byte[] plain = Small();
        byte[][] parts = [plain[..3000], plain[3000..9000], plain[9000..]];
        foreach (Func<byte[], byte[]> pack in new[] { Gzip, Zstandard })
        {
            Check(parts.SelectMany(pack).ToArray(), plain, "");
        }

        // What is no gzip behind gzip, such as a tape's zeros, is none of it.
        Check([.. Gzip(plain), .. new byte[512]], plain, "");
        Check([.. Gzip(plain), .. new byte[100_000]], plain, "");
    }

    [Fact]
    public void A_packed_file_cut_anywhere_gives_its_beginning_and_says_that_it_is_cut()
    {
        byte[] plain = RandomRecording.Make(3, rounds: 1).ToBytes();
        foreach (Func<byte[], byte[]> pack in new[] { Gzip, Zstandard })
        {
            byte[] packed = pack(plain);
            int read = 0;
            for (int cut = 1; cut < packed.Length; cut += cut < 64 || cut > packed.Length - 20 ? 1 : packed.Length / 40)
            {
                string file = Write("cut", packed[..cut]);
                try
                {
                    using TraceInput input = TraceInput.Open(file);
                    Assert.True(input.Quality[TraceCounter.Truncated] == 1, $"cut at {cut} of {packed.Length}: {input.Quality}");
                    TraceTexts.Of(input);
                    read++;
                }
                catch (TraceFormatException refused)
                {
                    Assert.Equal(file, refused.File);
                }
            }

            // The last bytes of both are checks: without them all of the content is there.
            Assert.True(read >= 4, $"{read} of the cut files could be read");
        }
    }

    [Fact]
    public void Damage_in_a_packed_file_is_counted_and_what_comes_before_it_is_read()
    {
        byte[] plain = Small();
        foreach (Func<byte[], byte[]> pack in new[] { Gzip, Zstandard })
        {
            byte[] packed = [.. pack(plain), .. pack(new byte[70_000])];
            int second = pack(plain).Length;
            packed.AsSpan(second + 12, 8).Fill(0xff);
            Check(packed, plain, "unpacking_damaged=1");
        }
    }

    [Fact]
    public void What_packs_beyond_belief_is_refused_before_it_fills_the_disk()
    {
        using MemoryStream packed = new();
        using (ZstdWriter zstd = new(packed))
        {
            // 512 MB of zeros, which zstd packs twenty thousandfold.
            byte[] zeros = new byte[1 << 20];
            for (int at = 0; at < 512; at++)
            {
                zstd.Write(zeros);
            }
        }

        string file = Write("bomb", packed.ToArray());
        Assert.Contains("no trace packs so well", Assert.Throws<TraceFormatException>(() => TraceInput.Open(file)).What, StringComparison.Ordinal);

        byte[] nested = Small();
        for (int depth = 0; depth < 9; depth++)
        {
            nested = Gzip(nested);
        }

        Assert.Contains("packed more than 8 times", Assert.Throws<TraceFormatException>(() => TraceInput.Open(Write("nested", nested))).What, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_pipe_is_read_as_a_file_is(bool isPacked)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pipes with names are for Linux");
        string pipe = Path.Combine(_folder.FullName, "pipe");
        Process.Start("mkfifo", [pipe])!.WaitForExit();
        byte[] bytes = isPacked ? Gzip(Small()) : Small();
        Task writer = Task.Run(() =>
        {
            using FileStream stream = new(pipe, FileMode.Open, FileAccess.Write);
            foreach (byte[] part in bytes.Chunk(777))
            {
                stream.Write(part);
            }
        });
        using TraceInput input = TraceInput.Open(pipe);
        await writer;
        using TraceInput expected = TraceInput.Open(Write("plain", Small()));
        Assert.Equal(TraceTexts.Of(expected), TraceTexts.Of(input));
        Assert.Equal(pipe, input.Source.Path);
    }

    [Fact]
    public void A_file_named_by_a_descriptor_is_read()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc is Linux's");
        using FileStream open = File.OpenRead(DatReadTests.Sample);
        using TraceInput input = TraceInput.Open($"/proc/self/fd/{open.SafeFileHandle.DangerousGetHandle()}");
        Assert.Equal(16574, TraceTexts.Of(input).Count);
    }

    [Fact]
    public void Nothing_of_what_was_unpacked_can_be_found_on_the_disk()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc is Linux's");
        string file = Write("trace.gz", Gzip(Small()));
        string[] before = Directory.GetFiles("/var/tmp", "quire-*");
        using TraceInput input = TraceInput.Open(file);

        // Others unpack too: their files are there for a moment. Ours would stay as long as the input is open.
        string[] there = [.. Directory.GetFiles("/var/tmp", "quire-*").Except(before)];
        Assert.True(SpinWait.SpinUntil(() => !Array.Exists(there, File.Exists), TimeSpan.FromMinutes(1)), string.Join(' ', there));
        Assert.Contains(File.ReadAllLines("/proc/self/maps"), static line => line.Contains("/quire-", StringComparison.Ordinal) && line.EndsWith("(deleted)", StringComparison.Ordinal));
    }

    [Fact]
    public void An_empty_file_or_packing_is_refused_in_one_line()
    {
        Assert.Equal("the file is empty.", Assert.Throws<TraceFormatException>(() => TraceInput.Open(Write("empty.gz", Gzip([])))).What);
        Assert.Equal("the file is empty.", Assert.Throws<TraceFormatException>(() => TraceInput.Open(Write("empty.zst", Zstandard([])))).What);
        Assert.Equal("the file can't be unpacked: it is damaged at its beginning.",
            Assert.Throws<TraceFormatException>(() => TraceInput.Open(Write("bad.zst", [0x28, 0xb5, 0x2f, 0xfd, .. Enumerable.Repeat((byte)0xff, 60)]))).What);
        Assert.StartsWith("no event of any known form", Assert.Throws<TraceFormatException>(() => TraceInput.Open(Write("other.gz", Gzip([.. "hello"u8])))).What, StringComparison.Ordinal);
    }

    internal static byte[] Gzip(byte[] bytes)
    {
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return packed.ToArray();
    }

    internal static byte[] Zstandard(byte[] bytes)
    {
        using MemoryStream packed = new();
        using (ZstdWriter zstd = new(packed))
        {
            zstd.Write(bytes);
        }

        return packed.ToArray();
    }

    private static byte[] Small() => RandomRecording.Make(3, rounds: 1).ToBytes();

    private void Check(byte[] packed, byte[] plain, string quality)
    {
        using TraceInput input = TraceInput.Open(Write("packed", packed));
        using TraceInput expected = TraceInput.Open(Write("plain", plain));
        Assert.Equal(TraceTexts.Of(expected), TraceTexts.Of(input));
        string both = expected.Quality.ToString();
        Assert.Equal(quality.Length == 0 ? both : $"{both}, {quality}".TrimStart(',', ' '), input.Quality.ToString());
    }

    private string Write(string name, byte[] bytes)
    {
        string file = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(file, bytes);
        return file;
    }

    /// <summary>Packs with the system's zstd library, whose reading half the library under test uses.</summary>
    private sealed unsafe class ZstdWriter(Stream target) : IDisposable
    {
        private readonly MemoryStream _bytes = new();

        public void Dispose()
        {
            nint library = System.Runtime.InteropServices.NativeLibrary.Load("libzstd.so.1");
            var compress = (delegate* unmanaged<byte*, nuint, byte*, nuint, int, nuint>)System.Runtime.InteropServices.NativeLibrary.GetExport(library, "ZSTD_compress");
            byte[] source = _bytes.ToArray();
            byte[] packed = new byte[source.Length + (source.Length / 8) + 1024];
            fixed (byte* from = source.Length == 0 ? new byte[1] : source, to = packed)
            {
                target.Write(packed, 0, checked((int)compress(to, (nuint)packed.Length, from, (nuint)source.Length, 1)));
            }

            _bytes.Dispose();
        }

        internal void Write(byte[] bytes) => _bytes.Write(bytes);
    }
}

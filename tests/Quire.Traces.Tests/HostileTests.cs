using Xunit;

namespace Quire.Traces.Tests;

/// <summary>Files cut short or changed at random: an exception that says where, or counted damage; never a crash, a hang or memory without end.</summary>
public sealed class HostileTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-hostile-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("ring")]
    [InlineData("v6")]
    [InlineData("v7")]
    [InlineData("zlib")]
    [InlineData("zstd")]
    public void A_file_cut_anywhere_is_refused_or_read_with_the_loss_counted(string kind)
    {
        byte[] file = Make(kind);
        Random random = new(5);
        int read = 0;
        for (int round = 0; round < (kind == "zstd" ? 80 : 150); round++)
        {
            int length = round < 40 ? round * 3 : random.Next(file.Length);
            read += Try(file[..length], $"{kind} cut at {length}") ? 1 : 0;
        }

        // trace-cmd itself writes last where the data is: without its end, its file can't be read.
        Assert.True(read > 5 || kind == "zstd", $"only {read} of the {kind} files cut short could be read at all");
    }

    [Theory]
    [InlineData("ring", 1)]
    [InlineData("v6", 2)]
    [InlineData("v7", 3)]
    [InlineData("zlib", 4)]
    [InlineData("zstd", 5)]
    public void A_file_changed_anywhere_is_refused_or_read(string kind, int seed)
    {
        byte[] file = Make(kind);
        int read = 0;
        for (int round = 0; round < (kind == "zstd" ? 120 : 300); round++)
        {
            Random random = new((seed * 100_000) + round);
            byte[] changed = (byte[])file.Clone();
            for (int change = random.Next(1, 12); change > 0; change--)
            {
                // Half of them in the head, where every byte means something.
                int at = random.Next(2) == 0 ? random.Next(Math.Min(6000, file.Length)) : random.Next(file.Length);
                byte[] value = random.Next(4) switch
                {
                    0 => [0xff, 0xff, 0xff, 0xff],
                    1 => [0, 0, 0, 0],
                    2 => [0xff, 0xff, 0xff, 0x7f],
                    _ => [(byte)random.Next(256)],
                };
                value.AsSpan(0, Math.Min(value.Length, changed.Length - at)).CopyTo(changed.AsSpan(at));
            }

            read += Try(changed, $"{kind}, seed {seed}, round {round}") ? 1 : 0;
        }

        Assert.True(read > 4, $"only {read} of the {kind} files changed could be read at all");
    }

    [Fact]
    public void What_is_no_trace_is_refused_in_one_line_that_names_file_and_reason()
    {
        string file = Path.Combine(_folder.FullName, "x");
        (byte[] Bytes, string What)[] cases =
        [
            ([], "the file is empty."),
            ([.. "hello"u8], "no event of any known form (ftrace text, trace-cmd report, perf script) in 1 lines; the first line is 'hello'."),
            ([1, 2, 3], "this is neither a recording of Quire, nor a trace.dat, nor a trace as text."),
            ([0x1f, 0x8b, 8, 0], "the file can't be unpacked: it ends before anything is in it."),
            ([.. new RecordingBuilder().ToBytes().Select(static (b, at) => at == 7 ? (byte)9 : b)], "a recording of version 9; this program reads version 1 with slots of 96 bytes."),
            ([.. new DatBuilder(false, 8).ToVersion6().Select(static (b, at) => at == 10 ? (byte)'8' : b)], "a trace.dat of version '8'; this program reads versions 6 and 7."),
        ];
        foreach ((byte[] bytes, string what) in cases)
        {
            File.WriteAllBytes(file, bytes);
            TraceFormatException exception = Assert.Throws<TraceFormatException>(() => TraceInput.Open(file));
            Assert.Equal((what, file), (exception.What, exception.File));
            Assert.StartsWith($"{file}, byte ", exception.Message, StringComparison.Ordinal);
        }

        Assert.Throws<FileNotFoundException>(() => TraceInput.Open(Path.Combine(_folder.FullName, "missing")));
    }

    [Fact]
    public void Option_sections_in_a_circle_end()
    {
        byte[] file = new DatBuilder(false, 8).ToVersion7();

        // The last 8 bytes of the options say where the next ones are: at the first of them.
        int options = BitConverter.ToInt32(file, 24);
        int bytes = BitConverter.ToInt32(file, options + 8);
        BitConverter.GetBytes((long)options).CopyTo(file, options + 16 + bytes - 8);
        string path = Path.Combine(_folder.FullName, "x");
        File.WriteAllBytes(path, file);
        Assert.Contains("circle", Assert.Throws<TraceFormatException>(() => TraceInput.Open(path)).What, StringComparison.Ordinal);
    }

    [Fact]
    public void Cpus_that_claim_the_same_bytes_are_refused_since_they_could_be_read_without_end()
    {
        byte[] file = Make("v6");
        int table = file.AsSpan().IndexOf("flyrecord\0"u8) + 10;
        file.AsSpan(table, 8).CopyTo(file.AsSpan(table + 16));
        file.AsSpan(table + 8, 8).CopyTo(file.AsSpan(table + 24));
        string path = Path.Combine(_folder.FullName, "x");
        File.WriteAllBytes(path, file);
        using (TraceInput input = TraceInput.Open(path))
        {
            Assert.True(input.TryRead(out _));
        }

        BitConverter.GetBytes(4096L).CopyTo(file, table);
        BitConverter.GetBytes(file.Length - 4096L).CopyTo(file, table + 8);
        File.WriteAllBytes(path, file);
        Assert.Contains("longer than the file", Assert.Throws<TraceFormatException>(() => TraceInput.Open(path)).What, StringComparison.Ordinal);
    }

    private static byte[] Make(string kind)
    {
        if (kind == "ring")
        {
            return RandomRecording.Make(3, rounds: 1).ToBytes();
        }

        if (kind == "zstd")
        {
            return File.ReadAllBytes(DatReadTests.Sample);
        }

        DatBuilder dat = new(false, 8);
        for (int cpu = 0; cpu < 2; cpu++)
        {
            byte[][] pages = [.. Enumerable.Range(0, 6).Select(page => dat.Page((ulong)page * 100_000, page == 2 ? 4 : null,
                [.. Enumerable.Range(0, 20).SelectMany(number => new[] { dat.Event(10, dat.Probe(42, (ulong)number, 1, 2, "abc", "text", "near")), dat.Event(0, dat.Stack(42, 0, 0x1000)) })]))];
            dat.Data.Add(("", cpu, [.. pages.SelectMany(static page => page)]));
        }

        dat.Option(5, "Linux");
        return kind == "v6" ? dat.ToVersion6() : dat.ToVersion7(kind == "zlib" ? 2 : 0);
    }

    private bool Try(byte[] file, string what)
    {
        string path = Path.Combine(_folder.FullName, "hostile");
        File.WriteAllBytes(path, file);
        TimeSpan began = ProcessorTime.Now();
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool isRead = false;
        try
        {
            using TraceInput input = TraceInput.Open(path);
            int records = 0;
            while (input.TryRead(out TraceRecord record))
            {
                records++;
                foreach (TraceField field in record.Format.Fields)
                {
                    record.Text(field);
                }

                foreach (ulong address in record.Stack)
                {
                    input.SymbolOf(address);
                }
            }

            isRead = true;
            Assert.True(records <= file.Length / 8, $"{what}: {records} records in {file.Length} bytes");
        }
        catch (TraceFormatException exception)
        {
            Assert.True(exception.File == path || exception.File.StartsWith("format of ", StringComparison.Ordinal), $"{what}: {exception.Message}");
        }
        catch (Exception exception) when (exception is not Xunit.Sdk.IAssertionException)
        {
            Assert.Fail($"{what}: {exception}");
        }

        TimeSpan took = ProcessorTime.Now() - began;
        Assert.True(took < s_limit, $"{what} took {took}");
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 200L << 20, $"{what} allocated {allocated} bytes");
        return isRead;
    }
}

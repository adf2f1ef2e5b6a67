using System.Collections.Concurrent;
using System.Diagnostics;
using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Fuzz;

/// <summary>
/// A hundred thousand traces of every format, cut and changed at random, each read and asked whom to blame: an answer, or one error that says where; never a crash, a
/// hang or memory without end.
/// </summary>
/// <remarks>
/// An input is named by its number: <c>QUIRE_FUZZ_FIRST=123 QUIRE_FUZZ_COUNT=1</c> runs that one alone, other numbers others. Should the process die, the
/// input it died of is the newest file <c>quire-fuzz-*/input-*</c> in the folder for temporary files.
/// </remarks>
public sealed class FuzzTests : IDisposable
{
    private const int Inputs = 102_000;
    private const int MaximumShown = 20;
    private const long MaximumBytes = 96L << 20;

    /// <summary>For one input. It takes less than a millisecond; but a machine may be busy, and the first runs compile.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-fuzz-");
    private readonly ConcurrentQueue<string> _failures = [];
    private long _read;
    private long _answered;
    private long _refused;

    public void Dispose()
    {
        try
        {
            _folder.Delete(recursive: true);
        }
        catch (IOException)
        {
            // A thread that hangs has its file there; the test has failed and says why.
        }
    }

    [Fact]
    public void A_changed_trace_of_any_format_gives_an_answer_or_one_error_that_says_where()
    {
        int first = Number("QUIRE_FUZZ_FIRST", 0);
        int count = Number("QUIRE_FUZZ_COUNT", Inputs);
        List<FuzzCorpora.Corpus> corpora = FuzzCorpora.All();
        Worker[] workers = [.. Enumerable.Range(0, Math.Min(count, Math.Min(4, Environment.ProcessorCount))).Select(number => new Worker(this, corpora, number))];
        int next = first - 1;
        foreach (Worker worker in workers)
        {
            worker.Start(() => Interlocked.Increment(ref next) is int input && input < first + count ? input : -1);
        }

        while (Array.Exists(workers, static worker => !worker.Wait(TimeSpan.FromMilliseconds(100))))
        {
            // A thread that hangs can't be ended; the test can.
            Worker? hung = Array.Find(workers, static worker => worker.Since > s_limit);
            Assert.True(hung is null, $"input {hung?.Input} ({hung?.What}) takes longer than {s_limit}");
        }

        Assert.True(_failures.IsEmpty, string.Join(Environment.NewLine, _failures.Take(MaximumShown)));
        TestContext.Current.TestOutputHelper?.WriteLine($"inputs {first} to {first + count - 1}: {_answered} answered, {_refused} refused, {_read} events read");
        if (count >= 10_000)
        {
            // What is refused at its first byte tests nothing behind it.
            Assert.True(_answered > count / 3 && _read > count * 5L, $"of {count} inputs only {_answered} were answered, with {_read} events");
        }
    }

    private static int Number(string name, int otherwise) => int.TryParse(Environment.GetEnvironmentVariable(name), out int number) ? number : otherwise;

    private void Try(string path, byte[] bytes, int input)
    {
        File.WriteAllBytes(path, bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using TraceInput trace = TraceInput.Open(path);
            if (input % 3 == 0)
            {
                Interlocked.Add(ref _read, ReadAll(trace, bytes.Length));
            }

            BlameReport report = TraceAnalysis.Blame(trace, new BlameOptions { All = input % 2 == 0, Leaks = input % 5 == 0 });
            Assert.NotEmpty(report.Verdict);
            Interlocked.Increment(ref _answered);
        }
        catch (TraceFormatException refused)
        {
            Assert.True(refused.File == path && refused.Offset >= 0 && refused.What.Length > 0, $"an error that says not where: {refused}");
            Interlocked.Increment(ref _refused);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < MaximumBytes, $"{allocated} bytes allocated for {bytes.Length}");
    }

    private static long ReadAll(TraceInput trace, int length)
    {
        long records = 0;
        while (trace.TryRead(out TraceRecord record))
        {
            records++;
            foreach (TraceField field in record.Format.Fields)
            {
                record.Text(field);
            }

            foreach (ulong address in record.Stack)
            {
                trace.SymbolOf(address);
            }

            trace.CommOf(record.Pid);
        }

        // Unpacked, an input can be longer than it is; but a few pages are all there is to any.
        Assert.True(records <= 200_000, $"{records} records in {length} bytes");
        return records;
    }

    /// <summary>Takes inputs one after another on a thread of its own.</summary>
    private sealed class Worker
    {
        private readonly FuzzTests _test;
        private readonly List<FuzzCorpora.Corpus> _corpora;
        private readonly string _path;
        private readonly Thread _thread;
        private Func<int>? _next;
        private long _began;

        internal Worker(FuzzTests test, List<FuzzCorpora.Corpus> corpora, int number)
        {
            _test = test;
            _corpora = corpora;
            _path = Path.Combine(test._folder.FullName, $"input-{number}");
            _began = Stopwatch.GetTimestamp();
            _thread = new Thread(Run) { IsBackground = true, Name = $"fuzz {number}" };
        }

        internal int Input { get; private set; }

        internal string What => _corpora[Input % _corpora.Count].Name;

        /// <summary>How long it has been at its input.</summary>
        internal TimeSpan Since => _thread.IsAlive ? Stopwatch.GetElapsedTime(Volatile.Read(ref _began)) : TimeSpan.Zero;

        internal void Start(Func<int> next)
        {
            _next = next;
            _thread.Start();
        }

        internal bool Wait(TimeSpan time) => _thread.Join(time);

        private void Run()
        {
            for (int input = _next!(); input >= 0; input = _next())
            {
                Input = input;
                Volatile.Write(ref _began, Stopwatch.GetTimestamp());
                try
                {
                    _test.Try(_path, FuzzCorpora.Change(_corpora[input % _corpora.Count], new Random(input)), input);
                }
                catch (Exception failure)
                {
                    _test._failures.Enqueue($"input {input} ({What}): {failure}");
                }
            }
        }
    }
}

using System.Globalization;

namespace Quire.Tests.Tracing.Rings;

/// <summary>A process that records, for tests that kill it or take away its space.</summary>
internal static class RecordingChild
{
    internal const string PathVariable = "QUIRE_TEST_RECORDING";
    internal const string WorkVariable = "QUIRE_TEST_WORK";

    internal static ChildProcess Start(string work, string path, string shell = "")
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string program = typeof(RecordingChild).Assembly.Location;

        // Without write-xor-execute, for which the runtime makes a large file in memory: under a limit on the size of files it would not begin.
        // exec: the process that is signalled is the one that records.
        return new ChildProcess("/bin/sh", "-c", $"{shell} exec \"$@\"", "sh", "env", $"DOTNET_STARTUP_HOOKS={program}", $"{PathVariable}={path}", $"{WorkVariable}={work}",
            "DOTNET_TieredPGO=0", "DOTNET_EnableWriteXorExecute=0", dotnet, program);
    }

    /// <summary>Writes on three threads, and on ever new ones, until it is killed. Each event names a text that its writer has just numbered.</summary>
    internal static void WriteWithoutEnd(string path)
    {
        bool isEarly = path.EndsWith("early.qring", StringComparison.Ordinal);
        if (isEarly)
        {
            Console.WriteLine("ready");
        }

        // A small ring turns often; a snapshot is under way all the time.
        TraceSession session = TraceSession.Start(new TraceFileOptions { Path = path, RingBytes = 16 << 10, MaximumBytes = 8 << 20 });
        for (uint writer = 1; writer <= 2; writer++)
        {
            uint me = writer;
            new Thread(() => Write(me, ulong.MaxValue)).Start();
        }

        new Thread(() =>
        {
            for (uint visitor = 100; ; visitor++)
            {
                uint me = visitor;
                Thread thread = new(() => Write(me, 40));
                thread.Start();
                thread.Join();
            }
        }).Start();
        TraceSnapshot snapshot = session.BeginSnapshot(SnapshotKind.Start);
        for (ulong i = 0; ; i++)
        {
            PageRefEvent e = ProofEvent.Make(7, i, TextTable.NumberOf(string.Create(CultureInfo.InvariantCulture, $"holder {i / 10}")));
            snapshot.Write(ProofEvent.Id, ref e);
            if (i == 100 && !isEarly)
            {
                Console.WriteLine("ready");
            }
            else if (i % 100 == 99)
            {
                Thread.Sleep(1);
            }
        }
    }

    /// <summary>Says what became of a recording that may not be large.</summary>
    internal static void RecordUnderLimit(string path)
    {
        try
        {
            using TraceSession session = TraceSession.Start(new TraceFileOptions { Path = path, RingBytes = 256 << 10 });
            using Barrier together = new(4);
            RecordingTests.RunThreads(4, me =>
            {
                for (ulong i = 0; i < 1000; i++)
                {
                    ProofEvent.Write((uint)me, i);
                }

                // Nobody ends before all have written: a dead thread's ring would be the next one's.
                together.SignalAndWait();
            });
            session.Stop();
            Console.WriteLine($"written {session.Written} lost {session.Lost}");
        }
        catch (TraceFileException refused)
        {
            Console.WriteLine($"{refused.Failure}: {refused.Message}");
        }
    }

    private static void Write(uint writer, ulong count)
    {
        uint text = 0;
        for (ulong i = 0; i < count; i++)
        {
            if (i % 50 == 0)
            {
                text = TextTable.NumberOf(string.Create(CultureInfo.InvariantCulture, $"writer {writer} at {i / 50 % 2000}"));
            }

            ProofEvent.Write(writer, i, text);
        }
    }
}

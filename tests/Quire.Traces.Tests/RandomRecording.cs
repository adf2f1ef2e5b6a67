namespace Quire.Traces.Tests;

/// <summary>Recordings of every kind of event with random content, the same for the same seed.</summary>
internal static class RandomRecording
{
    internal static RecordingBuilder Make(int seed, int rings = 3, int rounds = 4)
    {
        Random random = new(seed);
        RecordingBuilder recording = new();
        recording.Property("process", "broker");
        recording.Property("command", "broker --port 9000");
        recording.Property("os", "Linux 6.1.0 x86_64");
        recording.Property("sample", "1");
        recording.Thread(101, 1, "Main");
        recording.Thread(102, 4, ".NET Long Name Of A Worker");
        recording.Thread(103, 5, "");
        uint[] stacks =
        [
            0,
            recording.Stack(isPartial: false, "App.Parser.KeepHeader(Parser.cs:141)", "App.Program.<Main>$(Program.cs:3)"),
            recording.Stack(isPartial: true, "App.Cache`1[[System.Int32]].Add(Cache.cs:9)", "App.Größe.Run"),
            recording.Stack(isPartial: false, [.. Enumerable.Range(0, 90).Select(depth => $"App.Deep.Level{depth}(Deep.cs:{depth})")]),
        ];
        string[] texts = ["", "Parser.cs:141 KeepHeader", "main", "Größe.cs:7 Wächst", new string('x', 300)];
        for (int at = 0; at < rings; at++)
        {
            bool stops = at == 1;
            RecordingBuilder.Ring ring = recording.AddRing(at == 2 ? 1000 : rounds * 20, stops);
            ulong time = 1_000_000_000 + (ulong)random.Next(1000);
            for (int round = 0; round < rounds; round++)
            {
                foreach (TraceEventFormat format in recording.Formats.Values)
                {
                    // Bursts, pauses longer than 27 bits of ns, and events at the same moment.
                    time += random.Next(20) switch { 0 => (ulong)random.NextInt64(1L << 40), 1 => 0, _ => (ulong)random.Next(1, 5000) };
                    (string, object)[] fields =
                    [
                        .. format.Fields.Where(static field => !field.Name.StartsWith("common_", StringComparison.Ordinal)).Select(field => (field.Name,
                            field.IsDataLoc ? texts[random.Next(texts.Length)]
                            : field.Name == "stack" ? stacks[random.Next(stacks.Length)]
                            : field.Size == 8 ? (object)unchecked((ulong)random.NextInt64(long.MinValue, long.MaxValue))
                            : random.Next(4) == 0 ? random.Next(int.MinValue, int.MaxValue) : random.Next(8))),
                    ];
                    ring.Write(format.Name, time, 101 + random.Next(4), fields);
                }
            }
        }

        recording.AddSnapshot(1, 1_000_000_000).Write("holder_state", 101, ("ticket", 3), ("kind", 1), ("site", "A.cs:1 B"), ("taken", 5ul));
        recording.AddSnapshot(2, recording.End)
            .Write("holder_state", 101, ("ticket", 9), ("kind", 2), ("stack", stacks[1]))
            .Write("page_state", 101, ("pfn", 77ul), ("count", 2));
        return recording;
    }
}

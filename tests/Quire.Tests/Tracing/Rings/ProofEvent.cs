using Xunit;

namespace Quire.Tests.Tracing.Rings;

/// <summary>An event in which every byte follows from a writer's number and the event's place in its sequence: one made of two is found out.</summary>
internal static class ProofEvent
{
    internal const Tracepoint Id = Tracepoint.PageRefModUnless;

    internal static PageRefEvent Make(uint writer, ulong sequence, uint text = 0) => new()
    {
        Pfn = Mix(writer, sequence, 1),
        Flags = Mix(writer, sequence, 2),
        Count = (int)Mix(writer, sequence, 3),
        Mapcount = (int)Mix(writer, sequence, 4),
        Mapping = Mix(writer, sequence, 5),
        Mt = (int)Mix(writer, sequence, 6),
        Val = (int)Mix(writer, sequence, 7),
        Ret = (int)Mix(writer, sequence, 8),
        Unless = (int)Mix(writer, sequence, 9),
        Generation = sequence,
        Page = (uint)Mix(writer, sequence, 10),
        Ticket = writer,
        Stack = (uint)Mix(writer, sequence, 11),
        Site = text,
        Order = (uint)Mix(writer, sequence, 12),
        Owner = (uint)Mix(writer, sequence, 13),
    };

    internal static void Write(uint writer, ulong sequence, uint text = 0)
    {
        PageRefEvent e = Make(writer, sequence, text);
        TraceRings.Write(Id, ref e);
    }

    /// <summary>Whole, with its header; answers who wrote it, and as what.</summary>
    internal static (uint Writer, ulong Sequence, uint Text) Check(QringFile.Event seen)
    {
        PageRefEvent e = seen.As<PageRefEvent>();
        PageRefEvent expected = Make(e.Ticket, e.Generation, e.Site);
        expected.Header = new EventHeader(Id, seen.Pid);
        Assert.True(e.Equals(expected), $"a torn event of writer {e.Ticket}, its {e.Generation}th: {Convert.ToHexString(seen.Payload)}");
        Assert.NotEqual(0, seen.Pid);
        return (e.Ticket, e.Generation, e.Site);
    }

    /// <summary>The events of one ring are whole, in the order of their times, and of each writer in its order and without gap. Answers the last of each writer.</summary>
    internal static Dictionary<uint, (ulong First, ulong Last)> Check(QringFile file, QringFile.Ring ring)
    {
        Dictionary<uint, (ulong First, ulong Last)> writers = [];
        long time = file.Start;
        foreach (QringFile.Event seen in ring.Events)
        {
            Assert.True(seen.Time >= time, $"an event at {seen.Time} after one at {time}");
            time = seen.Time;
            (uint writer, ulong sequence, uint text) = Check(seen);
            Assert.True(text == 0 || file.Texts.ContainsKey(text), $"an event names the text {text:x}, which is not in the file");
            if (writers.TryGetValue(writer, out (ulong First, ulong Last) range))
            {
                Assert.True(sequence == range.Last + 1, $"writer {writer}'s event {sequence} comes after its {range.Last}");
                writers[writer] = (range.First, sequence);
            }
            else
            {
                writers.Add(writer, (sequence, sequence));
            }
        }

        return writers;
    }

    private static ulong Mix(uint writer, ulong sequence, ulong field)
    {
        ulong x = ((sequence << 20) ^ writer ^ (field << 56)) * 0x9E3779B97F4A7C15ul;
        return x ^ (x >> 29);
    }
}

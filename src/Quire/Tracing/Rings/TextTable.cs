namespace Quire;

/// <summary>
/// Numbers for the texts that events name (names of allocators and areas, frames of stacks), and the way by which every numbered thing reaches the
/// recordings that run.
/// </summary>
/// <remarks>
/// The promise: an event that names a number comes after the number's text in the file, also where the process is killed between the two. So whoever
/// numbers something publishes it first and lets the number be found afterwards, both under one lock, which the replay for a new recording
/// takes too: either the replay finds the number, or its owner finds the recording.
/// <para>
/// What is bounded: <see cref="MaximumTexts"/>; what comes after gets 0, which is no text, and is counted.
/// </para>
/// </remarks>
internal static class TextTable
{
    /// <summary>The first number given out here; below are those of call sites.</summary>
    internal const uint First = 0x4000_0000;

    internal const int MaximumTexts = 1 << 20;

    // Entered uninterrupted: who numbers a text may have taken a reference or a range that nobody else knows of yet.
    private static readonly object s_gate = new();
    private static readonly Dictionary<string, uint> s_numbers = [];
    private static readonly List<string> s_texts = [];

    // Replaced under s_sinksGate, read without: an array never changes.
    private static readonly Lock s_sinksGate = new();
    private static volatile ITextSink[] s_sinks = [];
    private static volatile Action<ITextSink>[] s_replays = [];
    private static long s_dropped;

    /// <summary>Look-ups that got no number because the table was full.</summary>
    internal static long Dropped => Volatile.Read(ref s_dropped);

    /// <summary>The number of a text, the same each time; 0 where there are too many. A lock and a look-up by content (some 40 ns): keep the number.</summary>
    internal static uint NumberOf(string text)
    {
        using (Uninterrupted.Enter(s_gate))
        {
            if (!s_numbers.TryGetValue(text, out uint number))
            {
                if (s_texts.Count == MaximumTexts)
                {
                    s_dropped++;
                    return 0;
                }

                number = First + (uint)s_texts.Count;
                foreach (ITextSink sink in s_sinks)
                {
                    sink.Text(number, text);
                }

                s_texts.Add(text);
                s_numbers.Add(text, number);
            }

            return number;
        }
    }

    /// <summary>The text behind a number, call sites too; empty for a number never given out.</summary>
    internal static string TextOf(uint number)
    {
        if (number < First)
        {
            return number == 0 || number > CallSiteTable.Last ? "" : CallSiteTable.SiteOf(number).ToString();
        }

        using (Uninterrupted.Enter(s_gate))
        {
            return number - First < s_texts.Count ? s_texts[(int)(number - First)] : "";
        }
    }

    /// <summary>A call site got its number. Called under the lock of the call sites, before the number can be found.</summary>
    internal static void PublishSite(uint number, string text)
    {
        foreach (ITextSink sink in s_sinks)
        {
            sink.Text(number, text);
        }
    }

    /// <summary>Whether a new text goes anywhere: spares its owner to make it.</summary>
    internal static bool HasSinks => s_sinks.Length != 0;

    /// <summary>A stack got its number. Called under its owner's lock, before the number can be found; its frames are numbered already.</summary>
    internal static void PublishStack(uint number, ReadOnlySpan<uint> frames, bool isPartial)
    {
        foreach (ITextSink sink in s_sinks)
        {
            sink.Stack(number, frames, isPartial);
        }
    }

    /// <summary>
    /// Adds the owner of further numbers: <paramref name="replay"/> shows a sink all it knows. It takes its numbers under the lock under which it publishes
    /// (it need not hold it while it shows them). It also runs for the recordings that run already.
    /// </summary>
    internal static void AddReplay(Action<ITextSink> replay)
    {
        lock (s_sinksGate)
        {
            s_replays = [.. s_replays, replay];
        }

        foreach (ITextSink sink in s_sinks)
        {
            replay(sink);
        }
    }

    /// <summary>From now on the sink gets what is new; before this returns it has got all that was known. Some of it twice.</summary>
    internal static void Attach(ITextSink sink)
    {
        // Happens before: the sink is there before the replay takes the owners' locks. A text numbered before that lock was taken is replayed;
        // one numbered after it finds the sink.
        lock (s_sinksGate)
        {
            s_sinks = [.. s_sinks, sink];
        }

        CallSiteTable.Replay(sink);
        string[] texts;
        using (Uninterrupted.Enter(s_gate))
        {
            texts = [.. s_texts];
        }

        for (int i = 0; i < texts.Length; i++)
        {
            sink.Text(First + (uint)i, texts[i]);
        }

        foreach (Action<ITextSink> replay in s_replays)
        {
            replay(sink);
        }
    }

    /// <summary>The sink gets nothing more, except from calls that are under way.</summary>
    internal static void Detach(ITextSink sink)
    {
        lock (s_sinksGate)
        {
            s_sinks = [.. s_sinks.Where(other => !ReferenceEquals(other, sink))];
        }
    }
}

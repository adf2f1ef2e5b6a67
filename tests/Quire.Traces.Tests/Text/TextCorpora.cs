using System.Text;

namespace Quire.Traces.Tests;

/// <summary>Small texts of every dialect, to be cut and changed at random; for the common fuzz test too.</summary>
internal static class TextCorpora
{
    private const int Bytes = 12_000;
    private const string Marks = "0123456789[](){}<>=:.-, \t\r\n#";

    private static readonly Dictionary<string, byte[]> s_all = Make();

    /// <summary>Each dialect's name, and a whole text of it.</summary>
    internal static IReadOnlyDictionary<string, byte[]> All => s_all;

    /// <summary>Changes a text: bytes, words and lines are overwritten, doubled, dropped and swapped, and words of its own grammar put in.</summary>
    internal static byte[] Mutate(byte[] text, Random random)
    {
        List<byte> changed = [.. text];
        for (int change = random.Next(1, 10); change > 0 && changed.Count > 0; change--)
        {
            int at = random.Next(changed.Count);
            int length = Math.Min(random.Next(1, 80), changed.Count - at);
            switch (random.Next(8))
            {
                case 0:
                    changed[at] = (byte)random.Next(256);
                    break;
                case 1:
                    changed.RemoveRange(at, length);
                    break;
                case 2:
                    changed.InsertRange(at, changed.GetRange(at, length));
                    break;
                case 3:
                    changed.InsertRange(at, Encoding.UTF8.GetBytes(s_words[random.Next(s_words.Length)]));
                    break;
                case 4:
                    // A line somewhere else.
                    int start = changed.LastIndexOf((byte)'\n', at) + 1;
                    int end = changed.IndexOf((byte)'\n', at);
                    List<byte> line = changed.GetRange(start, (end < 0 ? changed.Count : end + 1) - start);
                    changed.RemoveRange(start, line.Count);
                    changed.InsertRange(random.Next(changed.Count + 1), line);
                    break;
                case 5:
                    changed.InsertRange(at, Enumerable.Repeat((byte)random.Next(256), random.Next(1, 3000)));
                    break;
                case 6:
                    changed.RemoveAll(static c => c == '\n');
                    break;
                default:
                    changed[at] = (byte)Marks[random.Next(Marks.Length)];
                    break;
            }
        }

        return [.. changed];
    }

    private static readonly string[] s_words =
    [
        "\n", "=", "=3D", "=\n", " =>", "=> ", " => \n", "<stack trace>", "<user stack trace>", "kernel_stack: ", "CPU:1 [LOST 9999999999999999999 EVENTS]\n", "CPU:65536 [LOST EVENTS]\n", "CPU:0 [",
        "# entries-in-buffer/entries-written: 1/99999999999999999999   #P:99\n", "99999999999999999999", "-1", "0x", "0xfffffffffffffffff", "(nil)", "(____ptrval____)", "caller=ARRAY[1, 2,",
        "[FAILED TO PARSE]", " x=1 x=2 x=3", "pfn=", "\u00a0", "\ufeff", "> > > ", "[   12.345678] ", "[999999] ", "-2147483648 ", "us+: ", "ms (+", "\0", "PERF_RECORD_LOST lost ", "print: ", " <-",
    ];

    private static Dictionary<string, byte[]> Make()
    {
        Dictionary<string, byte[]> all = new(StringComparer.Ordinal)
        {
            ["ftrace"] = Head(KernelSamples.Unpack("s1-success", "trace.txt.gz")),
            ["ftrace without stacks"] = Head(KernelSamples.Unpack("s7-busy-retry-then-success", "trace.txt.gz")),
            ["pipe"] = Head(KernelSamples.Unpack("s8-lost-events", "trace_pipe.txt.gz")),
            ["trace-cmd"] = Head(KernelSamples.Unpack("s2-vmsplice-pipe", "trace-cmd-report.txt.gz")),
        };
        TextEvents dat = TextEvents.Of(KernelSamples.PathOf("s2-vmsplice-pipe", "trace.dat"));
        dat.All.RemoveRange(60, dat.All.Count - 60);
        all["perf"] = Head(Encoding.UTF8.GetBytes(PerfScript.Of(dat, inNs: true, hasHeader: true, hasProcess: false)));
        all["mail"] = new MailMangler(3).Mangle(Encoding.UTF8.GetString(all["ftrace"]));
        all["encoded mail"] = new MailMangler(35).Mangle(Encoding.UTF8.GetString(all["ftrace"]));
        all["latency"] = Encoding.UTF8.GetBytes("# irqsoff latency trace v1.1.5 on 6.1.0\n# latency: 355 us, #40/50, CPU#2 | (M:preempt VP:0, KP:0, SP:0 HP:0 #P:4)\n" + string.Concat(Enumerable.Range(0, 80).Select(
            static at => $"  <idle>-{at % 3}         {at % 4}d.h1. {at * 3,4}us{" +!#"[at % 4]}: page_ref_set: pfn=0x{at:x} flags=0x{at:x} count={at} mapcount=0 mapping=(null) mt=1 val={at}\n"
                + (at % 2 == 0 ? $"  <idle>-{at % 3}         {at % 4}d.h1. {at * 3,4}us : <stack trace>\n => one\n => two+0x1/0x2 [mod]\n => three <ffffffff8112a03d>\n" : ""))));
        return all;
    }

    private static byte[] Head(byte[] text)
    {
        int end = Array.IndexOf(text, (byte)'\n', Math.Min(Bytes, text.Length - 1));
        return text[..(end + 1)];
    }
}

using System.Globalization;
using System.Text;

namespace Quire.Traces.Tests;

/// <summary>Writes events of a trace.dat as <c>perf script</c> would print them, had perf recorded them.</summary>
internal static class PerfScript
{
    internal static string Of(TextEvents events, bool inNs, bool hasHeader, bool hasProcess)
    {
        StringBuilder text = new();
        if (hasHeader)
        {
            text.Append("# ========\n# captured on    : Sat Nov 21 20:26:23 2026\n# header version : 1\n# hostname : (none)\n# os release : 6.1.192-ktrace\n# perf version : 6.1.192\n# arch : x86_64\n# nrcpus online : 2\n")
                .Append("# event : name = page_ref:page_ref_set, , id = { 1, 2 }, type = 2, size = 128\n# ========\n#\n");
        }

        foreach (SeenEvent seen in events.All)
        {
            string comm = seen.Comm == "<idle>" ? "swapper" : seen.Comm;
            string pid = hasProcess ? $"{Math.Max(1, seen.Pid - 1)}/{seen.Pid}" : $"{seen.Pid}";
            long fraction = seen.Time % 1_000_000_000;
            text.Append(CultureInfo.InvariantCulture, $"{(seen.Stack.Length > 0 ? comm : comm.PadLeft(16))} {pid,7} [{seen.Cpu:d3}] ");
            text.Append(CultureInfo.InvariantCulture, $"{seen.Time / 1_000_000_000,5}.{(inNs ? fraction.ToString("d9", CultureInfo.InvariantCulture) : (fraction / 1000).ToString("d6", CultureInfo.InvariantCulture))}: ");
            text.Append(CultureInfo.InvariantCulture, $"{SystemOf(seen.Name)}:{seen.Name}:");
            foreach ((string name, object value) in seen.Fields)
            {
                text.Append(value is ulong number ? string.Create(CultureInfo.InvariantCulture, $" {name}=0x{number:x}") : string.Create(CultureInfo.InvariantCulture, $" {name}={value}"));
            }

            text.Append('\n');
            for (int at = 0; at < seen.Stack.Length; at++)
            {
                text.Append(CultureInfo.InvariantCulture, $"\t{seen.Addresses[at],16:x} {seen.Stack[at]}+0x{at:x} ([kernel.kallsyms])\n");
            }

            if (seen.Stack.Length > 0)
            {
                text.Append("\t    7f55759bc000 __GI___vmsplice+0x10 (/usr/lib/x86_64-linux-gnu/libc.so.6)\n\t    55d0c5a9d000 [unknown] (/bin/kt)\n\n");
            }
        }

        return text.ToString();
    }

    private static string SystemOf(string name) => name.StartsWith("page_ref", StringComparison.Ordinal) ? "page_ref" : name.StartsWith("cma", StringComparison.Ordinal) ? "cma" : "kmem";
}

using System.Globalization;
using System.IO.Compression;
using System.Text.RegularExpressions;

namespace Quire.Traces.Tests.Kernel.Classes;

/// <summary>The recordings of real kernels beside the tests, as these tests need them.</summary>
internal static partial class KernelSamples
{
    /// <summary>Samples whose trace.dat and trace.txt.gz are of the same buffer.</summary>
    internal static IEnumerable<string> Pairs() => Directory.EnumerateDirectories(Path.Combine(AppContext.BaseDirectory, "Data", "kernel"))
        .Where(static folder => File.Exists(Path.Combine(folder, "trace.dat")) && File.Exists(Path.Combine(folder, "trace.txt.gz"))).Select(static folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal);

    internal static string FileOf(string sample, string file) => Path.Combine(AppContext.BaseDirectory, "Data", "kernel", sample, file);

    /// <summary>The page_ref events of a text: event, frame number, flags as the kernel named them.</summary>
    internal static IEnumerable<(string Event, long Pfn, string Flags)> TextEvents(string sample)
    {
        using StreamReader reader = new(new GZipStream(File.OpenRead(FileOf(sample, "trace.txt.gz")), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
        {
            Match match = Event().Match(line);
            if (match.Success)
            {
                yield return (match.Groups[1].Value, long.Parse(match.Groups[2].ValueSpan, NumberStyles.HexNumber), match.Groups[3].Value);
            }
        }
    }

    /// <summary>The root of the repository.</summary>
    internal static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Quire.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException("The tests run outside the repository.");
    }

    [GeneratedRegex("""\d: (page_ref_\w+): pfn=0x([0-9a-f]+) flags=(\S+) """)]
    private static partial Regex Event();
}

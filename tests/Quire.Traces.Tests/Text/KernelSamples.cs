using System.IO.Compression;

namespace Quire.Traces.Tests;

/// <summary>The recordings of real kernels, as files and as text.</summary>
internal static class KernelSamples
{
    /// <summary>Those whose trace.dat and text are of the same buffer.</summary>
    internal static readonly string[] Paired = [.. Directory.EnumerateDirectories(Path.Combine(AppContext.BaseDirectory, "Data", "kernel"))
        .Where(static folder => File.Exists(Path.Combine(folder, "trace.dat")) && File.Exists(Path.Combine(folder, "trace.txt.gz"))).Select(static folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    internal static string PathOf(string scenario, string file) => Path.Combine(AppContext.BaseDirectory, "Data", "kernel", scenario, file);

    internal static byte[] Unpack(string scenario, string file)
    {
        using FileStream packed = File.OpenRead(PathOf(scenario, file));
        using GZipStream unpacked = new(packed, CompressionMode.Decompress);
        using MemoryStream bytes = new();
        unpacked.CopyTo(bytes);
        return bytes.ToArray();
    }
}

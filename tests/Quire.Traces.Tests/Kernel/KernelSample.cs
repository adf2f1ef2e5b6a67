using System.IO.Compression;
using Quire.Traces.Analysis;

namespace Quire.Traces.Tests.Kernel;

/// <summary>Recordings of real kernels (Data/kernel), and traces written by hand as ftrace's text.</summary>
internal static class KernelSample
{
    internal static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Data", "kernel");

    /// <summary>What became of a sample: <c>s2-vmsplice-pipe/trace.dat</c>, packed or not.</summary>
    internal static BlameReport Blame(string name, BlameOptions? options = null)
    {
        using TraceInput input = TraceInput.Open(Path.Combine(Folder, name));
        return TraceAnalysis.Blame(input, options ?? new BlameOptions { All = true });
    }

    internal static T Ask<T>(string text, Func<TraceInput, T> ask)
    {
        string path = Path.Combine(Path.GetTempPath(), $"quire-{Guid.NewGuid():n}.txt");
        File.WriteAllText(path, text);
        try
        {
            using TraceInput input = TraceInput.Open(path);
            return ask(input);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>The answer to a trace written by hand.</summary>
    internal static BlameReport BlameText(string text, BlameOptions? options = null) => Ask(text, input => TraceAnalysis.Blame(input, options ?? new BlameOptions { All = true }));

    internal static string Unpacked(string name)
    {
        using GZipStream packed = new(File.OpenRead(Path.Combine(Folder, name)), CompressionMode.Decompress);
        using StreamReader reader = new(packed);
        return reader.ReadToEnd();
    }
}

using System.Diagnostics.CodeAnalysis;

namespace Quire.Benchmarks.Measuring;

/// <summary>The file that <c>--json</c> names.</summary>
internal static class FiguresFile
{
    /// <summary>Asked before the first row, so that a file that cannot be written is not found out after the last one.</summary>
    public static bool CanWrite(string path, [NotNullWhen(false)] out string? complaint)
    {
        complaint = null;
        try
        {
            // Opened without truncating: what an earlier run wrote stands until this one has its figures.
            File.Open(path, FileMode.OpenOrCreate, FileAccess.Write).Dispose();
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            complaint = $"--json: {failure.Message}";
            return false;
        }
    }
}

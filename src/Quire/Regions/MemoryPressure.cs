using System.Globalization;

namespace Quire;

/// <summary>
/// Whether the machine, or the container, is short of memory now. Asked of the system, since what the garbage collector knows dates from its last collection, and a program that
/// makes no garbage has none.
/// </summary>
/// <remarks>
/// Linux: the process's memory control group (v2), and <c>/proc/meminfo</c>. Elsewhere the collector's own figures, which may be old; untested there.
/// Reads a few small files; for every few seconds, not for every allocation.
/// </remarks>
internal sealed class MemoryPressure(string root = "/")
{
    /// <summary>Less than a tenth left is short, as for the collector.</summary>
    private const double Short = 0.1;

    internal static MemoryPressure OfSystem { get; } = new();

    /// <summary>True where less than a tenth of the memory is left; false where nobody can say.</summary>
    internal bool IsHigh()
    {
        if (!OperatingSystem.IsLinux())
        {
            GCMemoryInfo memory = GC.GetGCMemoryInfo(GCKind.Any);
            return memory.HighMemoryLoadThresholdBytes > 0 && memory.MemoryLoadBytes >= memory.HighMemoryLoadThresholdBytes;
        }

        return IsGroupShort() || IsMachineShort();
    }

    private bool IsMachineShort()
    {
        string? text = Read("proc/meminfo");
        return Field(text, "MemTotal:") is { } total && Field(text, "MemAvailable:") is { } available && available < total * Short;
    }

    private bool IsGroupShort()
    {
        // "0::/path" is the group in the one hierarchy of version 2. In a container it is mounted as the root.
        string? own = Read("proc/self/cgroup")?.Split('\n').FirstOrDefault(static line => line.StartsWith("0::", StringComparison.Ordinal))?[3..].Trim('/');
        return own is not null && (IsGroupShort($"sys/fs/cgroup/{own}") || IsGroupShort("sys/fs/cgroup"));
    }

    private bool IsGroupShort(string folder)
    {
        if (!long.TryParse(Read($"{folder}/memory.max"), CultureInfo.InvariantCulture, out long most)
            || !long.TryParse(Read($"{folder}/memory.current"), CultureInfo.InvariantCulture, out long used))
        {
            return false;
        }

        // File pages that nobody used lately are given up before anything is refused.
        long reclaimable = Field(Read($"{folder}/memory.stat"), "inactive_file ") ?? 0;
        return most - (used - reclaimable) < most * Short;
    }

    private string? Read(string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, file));
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static long? Field(string? text, string name)
    {
        int at = text is null ? -1 : text.StartsWith(name, StringComparison.Ordinal) ? 0 : text.IndexOf("\n" + name, StringComparison.Ordinal) + 1;
        if (at < 0 || (at == 0 && !text!.StartsWith(name, StringComparison.Ordinal)))
        {
            return null;
        }

        ReadOnlySpan<char> rest = text.AsSpan(at + name.Length).TrimStart();
        int end = rest.IndexOfAnyExceptInRange('0', '9');
        return long.TryParse(end < 0 ? rest : rest[..end], CultureInfo.InvariantCulture, out long value) ? value : null;
    }
}

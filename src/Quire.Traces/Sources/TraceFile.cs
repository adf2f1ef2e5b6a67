using Microsoft.Win32.SafeHandles;

namespace Quire.Traces.Sources;

/// <summary>
/// Gives the bytes of what a user named: a plain file is mapped where it is; a packed one, a pipe and standard input go into a spool first, for a trace is read
/// more than once and in many places at a time.
/// </summary>
internal static class TraceFile
{
    /// <summary>What stands for standard input where a path is asked for.</summary>
    internal const string StandardInput = "-";

    /// <summary>Opens it. What was lost on the way is in <see cref="FileMap.IsCut"/> and <see cref="FileMap.IsPackingDamaged"/>.</summary>
    /// <exception cref="TraceFormatException">It is empty, or nothing of it can be unpacked.</exception>
    /// <exception cref="IOException">It can't be read, or there is no room to unpack it.</exception>
    internal static FileMap Open(string path)
    {
        bool isStandardInput = path == StandardInput || (path == "/dev/stdin" && !OperatingSystem.IsWindows());
        FileStream file = isStandardInput
            ? new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0)
            : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        using (file)
        {
            if (file.CanSeek && file.Length > 0)
            {
                Span<byte> start = stackalloc byte[Unpacking.MagicBytes];
                int read = RandomAccess.Read(file.SafeFileHandle, start, 0);
                if (!Unpacking.IsPacked(start[..read]))
                {
                    return new FileMap(path, file) { IsNamed = !isStandardInput };
                }

                // Whatever was read of it before: standard input of a file may stand anywhere.
                file.Position = 0;
            }

            return Spool.Fill(path, file);
        }
    }
}

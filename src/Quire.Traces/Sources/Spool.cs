namespace Quire.Traces.Sources;

/// <summary>
/// A private file that takes what can't be mapped where it is. Its name is gone before the first byte is in it, so that nothing of a trace stays behind however
/// the process ends (where the system lets a file in use lose its name; elsewhere it goes when the process does).
/// </summary>
internal static class Spool
{
    /// <summary>
    /// A trace of pages that are mostly empty packs well, but what grows more than this, and beyond <see cref="Slack"/>, was made to fill a disk. gzip itself can't exceed 1032.
    /// </summary>
    private const long MaximumRatio = 2048;
    private const long Slack = 256L << 20;

    /// <summary>Enough to tell every format by its beginning.</summary>
    private const int SniffedBytes = 16;

    /// <summary>Packings one in another: more than anybody has on purpose.</summary>
    private const int MaximumDepth = 8;
    private const int BufferBytes = 1 << 18;

    /// <summary>Unpacks <paramref name="source"/> to its end, however often it is packed, and maps the result.</summary>
    internal static FileMap Fill(string path, Stream source)
    {
        List<Unpacking> packings = [];
        Peeked first = new(source);
        Peeked last = first;
        try
        {
            while (Unpacking.Of(last, last.Start, path) is { } packing)
            {
                packings.Add(packing);
                if (packings.Count > MaximumDepth)
                {
                    throw new TraceFormatException(path, 0, $"the file is packed more than {MaximumDepth} times over.");
                }

                last = new Peeked(packing);
            }

            using FileStream spool = Create(path);
            Copy(path, first, last, spool);
            bool isCut = packings.Exists(static packing => packing.IsCut);
            bool isDamaged = packings.Exists(static packing => packing.IsDamaged);
            return spool.Length > 0 ? new FileMap(path, spool) { IsCut = isCut, IsPackingDamaged = isDamaged }
                : isDamaged ? throw new TraceFormatException(path, 0, "the file can't be unpacked: it is damaged at its beginning.")
                : isCut ? throw new TraceFormatException(path, 0, "the file can't be unpacked: it ends before anything is in it.")
                : throw new TraceFormatException(path, 0, "the file is empty.");
        }
        finally
        {
            last.Dispose();
        }
    }

    private static void Copy(string path, Peeked source, Peeked content, FileStream spool)
    {
        byte[] buffer = new byte[BufferBytes];
        for (int read = content.Read(buffer); read > 0; read = content.Read(buffer))
        {
            // Before a byte is written: what is no trace may be endless.
            if (spool.Length == 0 && read >= SniffedBytes && !TraceInput.CanBegin(buffer.AsSpan(0, read)))
            {
                throw TraceInput.NoTrace(path);
            }

            if (!ReferenceEquals(source, content) && content.Given > Slack + (source.Given * MaximumRatio))
            {
                throw new TraceFormatException(path, source.Given, $"{source.Given} packed bytes have become {content.Given}: no trace packs so well.");
            }

            try
            {
                spool.Write(buffer, 0, read);
            }
            catch (IOException failure)
            {
                throw new IOException($"{path}: no room to unpack it: after {content.Given} bytes in {Folder()}: {failure.Message} Set TMPDIR to a folder that takes it.", failure);
            }
        }
    }

    private static FileStream Create(string path)
    {
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            Options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        FileStream spool;
        try
        {
            spool = new FileStream(Path.Combine(Folder(), $"quire-{Guid.NewGuid():N}"), options);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{path}: no room to unpack it: nothing can be written in {Folder()}: {failure.Message} Set TMPDIR to a folder that takes it.", failure);
        }

        if (!OperatingSystem.IsWindows())
        {
            File.Delete(spool.Name);
        }

        return spool;
    }

    /// <summary>What TMPDIR says; else where big files belong: /tmp is often memory.</summary>
    private static string Folder() =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable("TMPDIR")) && Directory.Exists("/var/tmp") ? "/var/tmp" : Path.GetTempPath();
}

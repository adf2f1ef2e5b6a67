namespace Quire.Traces;

/// <summary>A trace can't be read (or an event's format text understood): which file, where in it, and what is wrong there.</summary>
/// <remarks>Thrown for what makes the rest unreadable. What costs single events is counted in <see cref="TraceInput.Quality"/> instead.</remarks>
public sealed class TraceFormatException : IOException
{
    /// <summary>An exception about one place in a file.</summary>
    /// <param name="file">The file's path.</param>
    /// <param name="offset">Bytes from its start; -1 where no place can be named.</param>
    /// <param name="what">What is wrong.</param>
    /// <param name="cause">What it came from, if anything.</param>
    public TraceFormatException(string file, long offset, string what, Exception? cause = null)
        : base(offset < 0 ? $"{file}: {what}" : $"{file}, byte {offset} (0x{offset:x}): {what}", cause)
    {
        File = file;
        Offset = offset;
        What = what;
    }

    /// <summary>The file's path.</summary>
    public string File { get; }

    /// <summary>Bytes from the file's start; -1 where no place can be named.</summary>
    public long Offset { get; }

    /// <summary>What is wrong, without file and place.</summary>
    public string What { get; }
}

namespace Quire;

/// <summary>The file of a recording could not be made; the message says which, why, and what to do. Nothing is left of it.</summary>
public sealed class TraceFileException : IOException
{
    /// <summary>Makes one without a message.</summary>
    public TraceFileException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public TraceFileException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public TraceFileException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal TraceFileException(TraceFileFailure failure, string path, string reason, Exception? cause = null)
        : base($"The recording '{path}' can't be made: {reason}", cause)
    {
        Failure = failure;
        Path = path;
    }

    /// <summary>Why, for programs.</summary>
    public TraceFileFailure Failure { get; }

    /// <summary>The file.</summary>
    public string Path { get; } = "";
}

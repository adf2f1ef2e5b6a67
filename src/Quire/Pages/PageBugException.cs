namespace Quire;

/// <summary>
/// A rule of the reference counts was about to be broken; the call that would have done it changed nothing (the kernel's <c>VM_BUG_ON_PAGE</c>).
/// </summary>
/// <remarks>The message says what was called on which page, what the page is now, and, where the ledger knows, who dropped it before.</remarks>
public sealed class PageBugException : InvalidOperationException
{
    /// <summary>Makes one without a message.</summary>
    public PageBugException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public PageBugException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public PageBugException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal PageBugException(string message, uint frame, CallSite? earlier)
        : base(message)
    {
        FrameNumber = frame;
        EarlierRelease = earlier;
        TracingNotices.PageBug(message);
    }

    /// <summary>The frame number of the page, or 0 where the handle named none.</summary>
    public uint FrameNumber { get; }

    /// <summary>Where the reference was dropped before, if the ledger still knows.</summary>
    public CallSite? EarlierRelease { get; }
}

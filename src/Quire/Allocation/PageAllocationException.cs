namespace Quire;

/// <summary>Why an allocation gave no page.</summary>
public enum AllocationFailure
{
    /// <summary>It gave one.</summary>
    None,

    /// <summary>The byte limit of the allocator is reached and too little is free.</summary>
    LimitReached,

    /// <summary>The system gave no memory.</summary>
    OutOfMemory,

    /// <summary>Enough is free in total, but not in one piece, and the limit forbids to grow.</summary>
    Fragmented,

    /// <summary>The region provider broke a promise: memory of the wrong alignment, size or kind.</summary>
    BrokenProvider,
}

/// <summary>An allocation gave no page. What was there before still stands.</summary>
public class PageAllocationException : Exception
{
    /// <summary>Makes one without a message.</summary>
    public PageAllocationException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public PageAllocationException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public PageAllocationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Why there was no page.</summary>
    public AllocationFailure Failure { get; private protected init; }

    internal static PageAllocationException For(AllocationFailure failure, string message) => failure switch
    {
        AllocationFailure.LimitReached => new PageLimitException(message),
        AllocationFailure.OutOfMemory => new PageOutOfMemoryException(message),
        AllocationFailure.Fragmented => new PageFragmentationException(message),
        _ => new PageAllocationException(message) { Failure = failure },
    };
}

/// <summary>The byte limit of the allocator is reached.</summary>
public sealed class PageLimitException : PageAllocationException
{
    /// <summary>Makes one without a message.</summary>
    public PageLimitException() => Failure = AllocationFailure.LimitReached;

    /// <summary>Makes one with its message.</summary>
    public PageLimitException(string message)
        : base(message) => Failure = AllocationFailure.LimitReached;

    /// <summary>Makes one with its message and what caused it.</summary>
    public PageLimitException(string message, Exception innerException)
        : base(message, innerException) => Failure = AllocationFailure.LimitReached;
}

/// <summary>The system gave no memory.</summary>
public sealed class PageOutOfMemoryException : PageAllocationException
{
    /// <summary>Makes one without a message.</summary>
    public PageOutOfMemoryException() => Failure = AllocationFailure.OutOfMemory;

    /// <summary>Makes one with its message.</summary>
    public PageOutOfMemoryException(string message)
        : base(message) => Failure = AllocationFailure.OutOfMemory;

    /// <summary>Makes one with its message and what caused it.</summary>
    public PageOutOfMemoryException(string message, Exception innerException)
        : base(message, innerException) => Failure = AllocationFailure.OutOfMemory;
}

/// <summary>Enough is free in total, but not in one piece.</summary>
public sealed class PageFragmentationException : PageAllocationException
{
    /// <summary>Makes one without a message.</summary>
    public PageFragmentationException() => Failure = AllocationFailure.Fragmented;

    /// <summary>Makes one with its message.</summary>
    public PageFragmentationException(string message)
        : base(message) => Failure = AllocationFailure.Fragmented;

    /// <summary>Makes one with its message and what caused it.</summary>
    public PageFragmentationException(string message, Exception innerException)
        : base(message, innerException) => Failure = AllocationFailure.Fragmented;
}

namespace Quire;

/// <summary>A contiguous allocation gave no range. What was there before still stands.</summary>
public class ContiguousAllocationException : Exception
{
    /// <summary>Makes one without a message.</summary>
    public ContiguousAllocationException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public ContiguousAllocationException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public ContiguousAllocationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The whole answer; null where the exception was not made by an area.</summary>
    public ContiguousFailure? Failure { get; private protected init; }

    internal static ContiguousAllocationException For(ContiguousFailure failure) => failure.Kind switch
    {
        ContiguousFailureKind.NoSpace => new ContiguousNoSpaceException(failure),
        ContiguousFailureKind.Busy => new ContiguousBusyException(failure),
        _ => new ContiguousNoMemoryException(failure),
    };
}

/// <summary>No run of frames in the area is long enough; nothing was tried.</summary>
public sealed class ContiguousNoSpaceException : ContiguousAllocationException
{
    /// <summary>Makes one without a message.</summary>
    public ContiguousNoSpaceException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public ContiguousNoSpaceException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public ContiguousNoSpaceException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal ContiguousNoSpaceException(ContiguousFailure failure)
        : base(failure.ToString()) => Failure = failure;
}

/// <summary>Pages would not move. The message names every one of them with all its holders.</summary>
public sealed class ContiguousBusyException : ContiguousAllocationException
{
    /// <summary>Makes one without a message.</summary>
    public ContiguousBusyException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public ContiguousBusyException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public ContiguousBusyException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal ContiguousBusyException(ContiguousFailure failure)
        : base(failure.ToString()) => Failure = failure;

    internal ContiguousBusyException(string before, ContiguousFailure failure)
        : base(before + failure) => Failure = failure;
}

/// <summary>There is no memory to move pages to.</summary>
public sealed class ContiguousNoMemoryException : ContiguousAllocationException
{
    /// <summary>Makes one without a message.</summary>
    public ContiguousNoMemoryException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public ContiguousNoMemoryException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public ContiguousNoMemoryException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal ContiguousNoMemoryException(ContiguousFailure failure)
        : base(failure.ToString()) => Failure = failure;
}

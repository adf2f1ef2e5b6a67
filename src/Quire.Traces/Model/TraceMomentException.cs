using System.Globalization;

namespace Quire.Traces;

/// <summary>An answer was asked for a moment that the trace does not have.</summary>
public sealed class TraceMomentException : ArgumentException
{
    internal TraceMomentException(long asked, long? first, long? last)
        : base(first is null ? "the trace has no event, so it has no moment to ask for."
            : last is null ? $"the trace begins at {Seconds(first.Value)}, after {Seconds(asked)}."
            : $"the trace goes from {Seconds(first.Value)} to {Seconds(last.Value)} and does not have {Seconds(asked)}.")
    {
    }

    private static string Seconds(long ns) => string.Create(CultureInfo.InvariantCulture, $"{ns / 1_000_000_000}.{Math.Abs(ns % 1_000_000_000):000000000} s");
}

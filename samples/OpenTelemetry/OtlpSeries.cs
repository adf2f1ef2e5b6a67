namespace Quire.Samples.OtlpExport;

/// <summary>One series as it arrived.</summary>
/// <param name="Name">The instrument, and its tags in braces, in the order of their names.</param>
/// <param name="Unit">Its unit.</param>
/// <param name="Value">The last value; of a histogram the number of values.</param>
internal sealed record OtlpSeries(string Name, string Unit, double Value);

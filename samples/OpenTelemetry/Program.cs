using System.Globalization;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using Quire.Samples.OtlpExport;

// otlp-export: exit status 0 it exported (with --self-test: and all of it arrived), 1 something did not arrive, 2 the call is wrong.
bool isTest = args is ["--self-test"];
double seconds = isTest ? 3 : double.PositiveInfinity;
if (!isTest && args is not [] && !(args is ["--seconds", var text] && double.TryParse(text, CultureInfo.InvariantCulture, out seconds) && seconds > 0))
{
    Console.Error.WriteLine("otlp-export: --seconds N or --self-test; without, it runs until Ctrl+C.");
    return 2;
}

using OtlpReceiver? receiver = isTest ? new OtlpReceiver() : null;
using CancellationTokenSource stop = new();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};

// Where to: OTEL_EXPORTER_OTLP_ENDPOINT and its companions, which the exporter reads itself.
using MeterProvider provider = Sdk.CreateMeterProviderBuilder()
    .AddMeter("Quire")
    .AddOtlpExporter((exporter, reader) =>
    {
        exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
        if (receiver is not null)
        {
            exporter.Endpoint = receiver.Endpoint;
        }

        reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = 1000;
    })
    .Build();

using (Server server = new())
{
    if (receiver is null)
    {
        Console.WriteLine($"exporting the meter 'Quire' every second to {Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") ?? "the default endpoint of OTLP"}; Ctrl+C ends it");
    }

    stop.Token.WaitHandle.WaitOne(double.IsFinite(seconds) ? TimeSpan.FromSeconds(seconds) : Timeout.InfiniteTimeSpan);

    // While there is still something to measure.
    provider.ForceFlush();
}

return receiver?.Report(Console.Out) ?? 0;
